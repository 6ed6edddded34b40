"""A file that is being scored: what has been read of it, and what has been written."""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass

from larnn_cli.score.layout import Layout
from larnn_cli.score.output import Output
from larnn_cli.score.pieces import Piece, TableFile
from larnn_cli.score.places import Folder, Job
from larnn_service.answer_columns import Answers
from larnn_service.interfaces import Model

LONGEST = 256
"""Steps of a piece."""


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
        with contextlib.ExitStack() as stack:
            table = TableFile(stack.enter_context(source.read(job.path)), question.layout)
            self._draft = stack.enter_context(contextlib.closing(target.draft(job.answers)))
            answers = Answers(question.model.manifest.contract.outputs, question.outputs)
            by = [table.schema.field(name) for name in question.layout.by]
            self._output = Output(self._draft.path, answers, by, question.every)
            stack.callback(self._output.close)
            self._resources = stack.pop_all()
        self._pieces = table.pieces(LONGEST)
        self._unwritten: deque[Piece] = deque()
        self._is_read = False

    def read(self) -> Piece | None:
        """The next piece; None at the end. Raises DataError."""
        piece = next(self._pieces, None)
        if piece is None:
            self._is_read = True
        else:
            self._unwritten.append(piece)
        return piece

    def write(self) -> list[Piece]:
        """The pieces that have run, as far as none before them is missing."""
        written = []
        while self._unwritten and self._unwritten[0].outputs is not None:
            written.append(self._unwritten.popleft())
            self._output.take(written[-1])
        return written

    @property
    def is_done(self) -> bool:
        """Whether all of it is written."""
        return self._is_read and not self._unwritten

    def publish(self) -> None:
        """Put the answers in their place."""
        with self._resources:
            self._output.finish()
            self._draft.publish()

    def abandon(self) -> list[Piece]:
        """Leave nothing behind; the pieces that were not written."""
        self._resources.close()
        return list(self._unwritten)
