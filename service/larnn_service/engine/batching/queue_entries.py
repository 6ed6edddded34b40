"""What the batcher has in its queue: rows, and the submissions that they came with."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from opentelemetry.trace import SpanContext

from larnn_service.interfaces import Floats, RowState, Steps

Result = tuple[Floats, RowState]
"""Outputs [steps, columns] and the state after them; of a row that ends the last step's alone."""
Outcome = Result | Exception
"""What comes of a row."""
Then = Callable[[list[Outcome]], None]
"""Gets what comes of each row of a submission, once, in the event loop."""


def result_of_row(outcome: Outcome) -> Result:
    """What the run gave for the row. Raises the error that came of it instead."""
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


class Submission(msgspec.Struct, eq=False):
    """Rows that came together and are answered together."""

    then: Then
    since: float
    """When it was queued, in seconds of the loop's clock."""
    asked: SpanContext | None
    """The span that asked for it, where anyone traces."""
    outcomes: list[Outcome | None]
    """Of its rows."""
    unanswered: int
    left: int
    """Steps that wait or run."""
    owner: str = ""
    """Whose it is, empty where nobody has a name."""
    over: bool = False
    """Answered, late, or nobody's any more."""


class Row(msgspec.Struct, eq=False):
    """One sequence on its way through."""

    x: Steps
    state: RowState
    """Before the steps that wait; in the arena only where a run has put it there."""
    ends: bool
    submission: Submission
    index: int
    """Among the rows of its submission."""
    left: int
    """Steps that wait or run."""
    outputs: list[Floats] = []
    alone: bool = False

    def next(self, count: int) -> Steps:
        """So many of its steps that wait."""
        if count == len(self.x):
            return self.x
        start = len(self.x) - self.left
        return self.x[start : start + count]

    @property
    def whole(self) -> bool:
        """Whether none of its steps has been run."""
        return self.left == len(self.x)
