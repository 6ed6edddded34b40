"""A file that is being scored: what has been read of it, and what has been written."""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass
from itertools import takewhile

from larnn_cli.score.errors import told
from larnn_cli.score.layout import Layout
from larnn_cli.score.output import Output
from larnn_cli.score.pieces import Piece, TableFile
from larnn_cli.score.places import Folder, Job
from larnn_export.data import DataError
from larnn_service.answer_columns import Answers
from larnn_service.interfaces import Model

LONGEST = 2048
"""Steps of a piece."""
_READ, _WRITTEN = "it cannot be read", "its answers cannot be written"


@dataclass(frozen=True)
class Question:
    """What is asked of every file."""

    model: Model
    layout: Layout
    outputs: tuple[str, ...] = ()
    """Further ones that are told."""
    every: bool = False
    """A row for each step; else one for each recording."""


class OpenFile:
    """Gives the pieces of a file, and takes them in the same order once they have run."""

    def __init__(self, job: Job, question: Question, source: Folder, target: Folder) -> None:
        """Raises DataError."""
        self.job = job
        self.steps = 0
        """That have been written."""
        self.is_abandoned = False
        with contextlib.ExitStack() as stack:
            with told(_READ):
                file = stack.enter_context(source.read(job.path))
                table = TableFile(file, question.layout)
                by = question.layout.keys(table.schema)
            with told(_WRITTEN):
                draft = target.draft(job.answers)
            self._draft = stack.enter_context(contextlib.closing(draft))
            answers = Answers(question.model.manifest.contract.outputs, question.outputs)
            self._output = Output(self._draft.path, answers, by, question.every)
            stack.callback(self._output.close)
            self._resources = stack.pop_all()
        self._pieces = table.pieces(LONGEST)
        self._unwritten: deque[Piece] = deque()
        self._is_read = False

    def read(self) -> Piece | None:
        """The next piece; None at the end. Raises DataError."""
        with told(_READ):
            piece = next(self._pieces, None)
        if piece is None:
            self._is_read = True
        else:
            self._unwritten.append(piece)
        return piece

    def write(self) -> list[Piece]:
        """The pieces that have run, as far as none before them is missing. Raises DataError."""
        written = list(takewhile(lambda piece: piece.outputs is not None, self._unwritten))
        with told(_WRITTEN):
            for piece in written:
                self._output.take(piece)
        for piece in written:
            self._unwritten.popleft()
            self.steps += len(piece.steps)
        return written

    @property
    def is_done(self) -> bool:
        """Whether all of it is written."""
        return self._is_read and not self._unwritten

    def publish(self) -> None:
        """Put the answers in their place. Raises DataError."""
        with told(_WRITTEN), self._resources:
            self._output.finish()
            self._draft.publish()

    def abandon(self) -> list[Piece]:
        """Leave nothing behind; the pieces that were not written."""
        self.is_abandoned = True
        self._pieces.close()
        with contextlib.suppress(OSError, DataError), told(_WRITTEN):
            self._resources.close()
        unwritten = list(self._unwritten)
        self._unwritten.clear()
        return unwritten
