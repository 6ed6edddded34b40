"""Which runs are so short that the event loop does them itself."""

from __future__ import annotations

import math
from collections.abc import Callable

HANDED_OVER = 3e-4
"""Seconds for which a run is passed to a thread and back, and waits for the interpreter there."""
HANDED_ROW = 1e-4
"""As many more for each row: about what the loop itself has to do for it."""
LONGEST = 5e-3
"""Seconds for which the loop may stand still for a run."""
PART = 4
"""Of those who wait, a part of at least one in so many goes into a short run: else a long one
does more for its time."""
FADES = 0.99
"""Of a time that kept all who wait from one run, what is left of it each time."""


class ShortRuns:
    """Remembers what runs of about so many rows and steps took last.

    It is the processor's time that counts, of the thread that ran: what passes meanwhile depends on
    who else runs. It says nothing where a run waits for a device.
    """

    def __init__(
        self,
        max_batch_size: int,
        longest: float = LONGEST,
        alone: Callable[[], bool] = lambda: False,
    ) -> None:
        """`longest`: 0 where no run is short. `alone`: whether there is but one client, so that
        nobody waits for the loop while it runs what this one asks."""
        self._max_batch_size, self._longest, self._alone = max_batch_size, longest, alone
        self._known: dict[tuple[int, int], tuple[float, int]] = {}
        """Seconds, and rows times steps, by the sizes of both."""

    def took(self, rows: int, steps: int, seconds: float) -> None:
        """A run of so many rows, the longest of so many steps."""
        self._known[_size(rows, steps)] = seconds, rows * steps

    def is_short(self, rows: int, steps: int, only: bool = False) -> bool:
        """Whether such a run takes less than to hand it over, by the last one of about this size,
        or of fewer rows; more work takes as much longer. Without any it may be long. `only`: no
        other row waits."""
        bound = self._longest
        if not (only and self._alone()):
            bound = min(HANDED_OVER + HANDED_ROW * rows, bound)
        return self._expected(rows, steps) <= bound

    def _expected(self, rows: int, steps: int) -> float:
        most, length = _size(rows, steps)
        for size in range(most, 0, -1):
            if (known := self._known.get((size, length))) is not None:
                seconds, work = known
                return seconds * max(rows * steps / work, 1)
        return math.inf

    def rows(self, waiting: int, steps: int) -> int:
        """How many of those who wait make a short run; 0 where too few do. Where more wait than one
        run takes, the loop has enough to do: none does."""
        if waiting > self._max_batch_size:
            return 0
        rows = waiting
        while PART * rows >= waiting and rows:
            if self.is_short(rows, steps, only=waiting == 1):
                if rows < waiting:
                    self._fade(waiting, steps)
                return rows
            rows //= 2
        return 0

    def _fade(self, rows: int, steps: int) -> None:
        """One slow run does not count for ever, nor does what was only expected: some dozens later
        its like is tried again."""
        size = _size(rows, steps)
        seconds, work = self._known.get(size) or (self._expected(rows, steps), rows * steps)
        self._known[size] = seconds * FADES, work


def _size(rows: int, steps: int) -> tuple[int, int]:
    return rows.bit_length(), steps.bit_length()
