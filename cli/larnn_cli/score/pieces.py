"""A Parquet file as pieces of recordings, of which a few thousand rows are read at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from larnn_cli.score.layout import Layout, plain
from larnn_service.interfaces import Floats, RowState, Steps

ROWS = 4096
"""That are read at once."""


@dataclass(eq=False)
class Recording:
    """Rows of a file that follow each other, through which the state is carried."""

    first_row: int
    key: list[pa.Array]
    """Its value of each column that tells recordings apart, as an array of one."""
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
        self._parquet = pq.ParquetFile(file, pre_buffer=False, buffer_size=2**16)
        self.schema: pa.Schema = self._parquet.schema_arrow
        layout.check(self.schema)

    def pieces(self, longest: int) -> Generator[Piece, None, None]:
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
        for batch in self._parquet.iter_batches(ROWS, columns=layout.columns, use_threads=False):
            steps = layout.steps(batch, row)
            columns = [plain(batch.column(name)) for name in layout.by]
            begins = _begins(columns, recording.key if recording else [], len(steps))
            edges = np.union1d(np.flatnonzero(begins), [0, len(steps)]).tolist()
            for start, stop in pairwise(edges):
                if recording is None or begins[start]:
                    # A copy: a slice would keep the whole column.
                    key = [column.take(pa.array([start])) for column in columns]
                    recording = Recording(row + start, key, layout.start)
                for first in range(start, stop, longest):
                    piece = steps[first : min(first + longest, stop)]
                    recording.steps += len(piece)
                    yield Piece(recording, row + first, piece)
            row += len(steps)


def _begins(columns: Sequence[pa.Array], key: Sequence[pa.Array], rows: int) -> NDArray[np.bool_]:
    """[rows], whether a column changes there; `key`: the values before the first row, if any is.
    All that is no number is alike, and so is all that is null."""
    begins = np.zeros(rows, bool)
    for column, before in zip(columns, key or [column[:1] for column in columns], strict=True):
        coded = pa.concat_arrays([before, column]).dictionary_encode("encode")
        codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        begins |= codes[1:] != codes[:-1]
    return begins
