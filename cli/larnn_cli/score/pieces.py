"""A Parquet file as pieces of recordings, of which a few thousand rows are read at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from larnn_cli.score.layout import Layout
from larnn_service.interfaces import Floats, RowState, Steps

ROWS = 4096
"""That are read at once."""


@dataclass(eq=False)
class Recording:
    """Rows of a file that follow each other, through which the state is carried."""

    first_row: int
    key: tuple[Any, ...]
    """Its values of the columns that tell recordings apart."""
    state: RowState
    """After the steps that have run."""
    steps: int = 0
    """That have been read."""
    pieces: deque[Piece] = field(default_factory=deque)
    """Which have not run, in their order."""
    running: bool = False


@dataclass(eq=False)
class Piece:
    """The next steps of a recording."""

    recording: Recording
    first_row: int
    steps: Steps
    """[steps, width]"""
    ends: bool = False
    outputs: Floats | None = None
    """[steps, columns], or [1, columns] of the last one, once it has run."""


class TableFile:
    """A file of recordings. They begin with the file and where a column of `layout.by` changes."""

    def __init__(self, file: IO[bytes], layout: Layout) -> None:
        """Raises DataError where it has not the columns that the model takes."""
        self._layout = layout
        with layout.readable():
            self._parquet = pq.ParquetFile(file)
            self.schema: pa.Schema = self._parquet.schema_arrow
        self.rows: int = self._parquet.metadata.num_rows
        layout.check(self.schema)

    def pieces(self, longest: int) -> Iterator[Piece]:
        """Of at most so many steps, in the file's order. Raises DataError."""
        held: Piece | None = None
        for piece in self._pieces(longest):
            if held is not None:
                held.ends = held.recording is not piece.recording
                yield held
            held = piece
        if held is not None:
            held.ends = True
            yield held

    def _pieces(self, longest: int) -> Iterator[Piece]:
        layout = self._layout
        recording: Recording | None = None
        row = 0
        for batch in self._batches():
            steps = layout.steps(batch, row)
            keys = [batch.column(name).dictionary_encode("encode") for name in layout.by]
            for start, stop in _unchanged(keys, len(steps)):
                key = tuple(column[start].as_py() for column in keys)
                if recording is None or key != recording.key:
                    recording = Recording(row + start, key, layout.start)
                for first in range(start, stop, longest):
                    piece = steps[first : min(first + longest, stop)]
                    recording.steps += len(piece)
                    yield Piece(recording, row + first, piece)
            row += len(steps)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        with self._layout.readable():
            yield from self._parquet.iter_batches(
                ROWS, columns=self._layout.columns, use_threads=False
            )


def _unchanged(keys: Sequence[pa.DictionaryArray], rows: int) -> Iterator[tuple[int, int]]:
    """Stretches of rows in which no key changes."""
    changes = np.zeros(rows, bool)
    for key in keys:
        indices = key.indices.to_numpy(zero_copy_only=False)
        changes[1:] |= indices[1:] != indices[:-1]
    edges = [0, *np.flatnonzero(changes).tolist(), rows]
    yield from zip(edges[:-1], edges[1:], strict=True)
