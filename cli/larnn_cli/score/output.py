"""The answers to one file, as a Parquet file of the same order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from larnn_cli.score.pieces import Piece
from larnn_service.answer_columns import Answers

ROWS = 2**14
"""Of a row group."""


class Output:
    """Takes the pieces of a file that have run, in their order."""

    def __init__(self, part: Path, answers: Answers, by: list[pa.Field], every: bool) -> None:
        """`every`: a row for each step, with its `row`; else one for each recording, with its
        values of the columns `by`, its `first_row` and its `steps`."""
        self._part, self._answers, self._by, self._every = part, answers, by, every
        self._pieces: list[Piece] = []
        self._rows = 0
        self._writer: pq.ParquetWriter | None = None

    def take(self, piece: Piece) -> None:
        """The next piece."""
        if self._every or piece.ends:
            self._pieces.append(piece)
            self._rows += len(piece.steps) if self._every else 1
        if self._rows >= ROWS:
            self._flush()

    def finish(self) -> None:
        """Nothing follows: the file is whole."""
        if self._pieces or self._writer is None:
            self._flush()
        self.close()

    def close(self) -> None:
        """Nothing is written any more."""
        if self._writer is not None:
            self._writer.close()

    def _flush(self) -> None:
        outputs = [piece.outputs for piece in self._pieces if piece.outputs is not None]
        told = np.concatenate(outputs) if outputs else self._answers.nothing()
        place = self._steps() if self._every else self._recordings()
        table = pa.table(place | self._answers.columns(told))
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._part, table.schema, use_dictionary=["label"], write_statistics=["row"]
            )
        self._writer.write_table(table)
        self._pieces, self._rows = [], 0

    def _steps(self) -> dict[str, pa.Array]:
        each = [np.arange(len(piece.steps)) + piece.first_row for piece in self._pieces]
        rows = np.concatenate([np.empty(0, np.int64), *each])
        return {"row": pa.array(rows, pa.int64())}

    def _recordings(self) -> dict[str, pa.Array]:
        recordings = [piece.recording for piece in self._pieces]
        keys = {
            field.name: pa.array([recording.key[index] for recording in recordings], field.type)
            for index, field in enumerate(self._by)
        }
        places = {
            "first_row": pa.array([recording.first_row for recording in recordings], pa.int64()),
            "steps": pa.array([recording.steps for recording in recordings], pa.int64()),
        }
        return keys | places


def _is_text(kind: pa.DataType) -> bool:
    """Whether it has few values, and each often: of numbers Parquet would search for such in
    vain."""
    return bool(pa.types.is_dictionary(kind) or pa.types.is_string(kind))
