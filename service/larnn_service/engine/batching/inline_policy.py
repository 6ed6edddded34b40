"""Which runs are so short that the event loop does them itself.

The time of a run is not guessed: what the last run of about the same size took is remembered.
"""

from __future__ import annotations

import math
from collections.abc import Callable

HANDED_OVER = 3e-4
"""Seconds that it costs to pass a run to a thread and back."""
HANDED_ROW = 1e-4
"""Seconds more for each row: about what the event loop itself has to do for it."""
LONGEST = 5e-3
"""Seconds for which the event loop may stand still for a run."""
PART = 4
"""A short run takes at least one in so many of the waiting rows. A smaller part would be a worse
use of the time than a long run of all of them."""
FADES = 0.99
"""Remembered times that exclude waiting rows from a short run are multiplied by this each time."""


class ShortRuns:
    """Remembers how long the last run of about so many rows and steps took.

    This is CPU time of the thread that ran, because elapsed time depends on other threads. It does
    not tell how long a run waits for a device.
    """

    def __init__(
        self,
        max_batch_size: int,
        longest: float = LONGEST,
        alone: Callable[[], bool] = lambda: False,
    ) -> None:
        """`longest`: bound in seconds; 0 if no run may be short. `alone`: whether there is only one
        client, so that nobody else waits for the event loop during its runs."""
        self._max_batch_size, self._longest, self._alone = max_batch_size, longest, alone
        self._known: dict[tuple[int, int], tuple[float, int]] = {}
        """Seconds and rows · steps of the last run, by the powers of two of rows and of steps."""

    def took(self, rows: int, steps: int, seconds: float) -> None:
        """Remember a run of so many rows, the longest of which had so many steps."""
        self._known[_size(rows, steps)] = seconds, rows * steps

    def is_short(self, rows: int, steps: int, only: bool = False) -> bool:
        """Whether such a run is expected to take less time than handing it to a thread.

        `only`: no other row waits. If no such run is remembered, it is assumed to be long.
        """
        bound = self._longest
        if not (only and self._alone()):
            bound = min(HANDED_OVER + HANDED_ROW * rows, bound)
        return self._expected(rows, steps) <= bound

    def _expected(self, rows: int, steps: int) -> float:
        """Seconds, from the last run of this size or of fewer rows; more work takes proportionally
        longer. Infinity if there was none."""
        most, length = _size(rows, steps)
        for size in range(most, 0, -1):
            if (known := self._known.get((size, length))) is not None:
                seconds, work = known
                return seconds * max(rows * steps / work, 1)
        return math.inf

    def rows(self, waiting: int, steps: int) -> int:
        """How many of the waiting rows make a short run: all, half, or a quarter of them, or 0.

        If more rows wait than one run can take, the event loop is busy enough, and no run is short.
        """
        if waiting > self._max_batch_size:
            return 0
        rows = waiting
        while rows and PART * rows >= waiting:
            if self.is_short(rows, steps, only=waiting == 1):
                if rows < waiting:
                    self._fade(waiting, steps)
                return rows
            rows //= 2
        return 0

    def _fade(self, rows: int, steps: int) -> None:
        """Let the time of runs of this size decay, whether it is remembered or expected. After some
        dozens of smaller runs one of this size is then tried again."""
        size = _size(rows, steps)
        seconds, work = self._known.get(size) or (self._expected(rows, steps), rows * steps)
        self._known[size] = seconds * FADES, work


def _size(rows: int, steps: int) -> tuple[int, int]:
    return rows.bit_length(), steps.bit_length()
