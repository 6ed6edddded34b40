"""The answers to one file, as a Parquet file of the same order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from larnn_cli.score.pieces import Piece
from larnn_service.answer_columns import Answers
from larnn_service.interfaces import Floats

ROWS = 2**14
"""Of a row group."""
_TEXT = (pa.types.is_dictionary, pa.types.is_string, pa.types.is_large_string)


class Output:
    """Takes the pieces of a file that have run, in their order."""

    def __init__(self, part: Path, answers: Answers, by: list[pa.Field], every: bool) -> None:
        """`every`: a row for each step, with its `row`; else one for each recording, with its
        values of the columns `by`, its `first_row` and its `steps`."""
        self._part, self._answers, self._by, self._every = part, answers, by, every
        self._places: list[tuple[int, int]] = []
        """The first row of each piece or recording, and how many steps it has."""
        self._keys: list[list[pa.Array]] = []
        self._outputs: list[Floats] = []
        self._rows = 0
        self._writer: pq.ParquetWriter | None = None

    def take(self, piece: Piece) -> None:
        """The next piece, once it has run; nothing but its outputs and their place is kept."""
        if piece.outputs is None or not (self._every or piece.ends):
            return
        recording = piece.recording
        if self._every:
            self._places.append((piece.first_row, len(piece.outputs)))
        else:
            self._places.append((recording.first_row, recording.steps))
            self._keys.append(recording.key)
        self._outputs.append(piece.outputs)
        self._rows += len(piece.outputs)
        if self._rows >= ROWS:
            self._flush()

    def finish(self) -> None:
        """Nothing follows: the file is whole."""
        if self._outputs or self._writer is None:
            self._flush()
        self.close()

    def close(self) -> None:
        """Nothing is written any more."""
        if self._writer is not None:
            self._writer.close()

    def _flush(self) -> None:
        told = np.concatenate([self._answers.nothing(), *self._outputs])
        place = self._steps() if self._every else self._recordings()
        table = pa.table(place | self._answers.columns(told))
        if self._writer is None:
            text = [field.name for field in table.schema if _is_text(field.type)]
            self._writer = pq.ParquetWriter(
                self._part,
                table.schema,
                compression="none",  # of what a network says nothing is saved
                use_dictionary=text,
                column_encoding={"row": "DELTA_BINARY_PACKED"} if self._every else None,
                write_statistics=["row"],
            )
        self._writer.write_table(table)
        self._places, self._keys, self._outputs, self._rows = [], [], [], 0

    def _steps(self) -> dict[str, pa.Array]:
        each = [np.arange(first, first + rows) for first, rows in self._places]
        return {"row": pa.array(np.concatenate([np.empty(0, np.int64), *each]))}

    def _recordings(self) -> dict[str, pa.Array]:
        keys = {
            field.name: pa.concat_arrays(
                [pa.array([], field.type), *(key[n] for key in self._keys)]
            )
            for n, field in enumerate(self._by)
        }
        first_rows, steps = np.array(self._places, np.int64).reshape(-1, 2).T
        return keys | {"first_row": pa.array(first_rows), "steps": pa.array(steps)}


def _is_text(kind: pa.DataType) -> bool:
    """Whether it has few values, and each often: of numbers Parquet would search for such in
    vain."""
    return any(is_one(kind) for is_one in _TEXT)
