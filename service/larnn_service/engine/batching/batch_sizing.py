"""How many rows a run takes: its share of all that wait, run, or are about to ask again.

Runs that take whatever waits stay as uneven as they happen to be: fifty rows on one thread move on
in short pieces beside fourteen on the other, for as long as the clients ask. A run of a fair share
leaves the rest to the next, and the runs are even after a few.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

LINGER = 0.25
"""Part of a run's time for which those whom it answered are expected back: they tend to ask again
together, and a run of one row costs as much as one of four."""


class Shares:
    """Counts rows and says who waits for whom. Times are seconds of one clock."""

    def __init__(self, concurrency: int, max_batch_size: int) -> None:
        self._concurrency, self._max_batch_size = concurrency, max_batch_size
        self._free = concurrency
        self._running = 0
        self._expected: deque[int] = deque()
        """Rows of each submission that was answered a moment ago: its client may ask again."""
        self._coming = 0
        """The sum of them."""
        self._until = -math.inf

    @property
    def free(self) -> int:
        """Runs that may start."""
        return self._free

    def came(self) -> None:
        """A submission, of however many rows: one of those that were expected, if any."""
        if self._expected:
            self._coming -= self._expected.popleft()

    def started(self, rows: int) -> None:
        """A run of so many."""
        self._free -= 1
        self._running += rows

    def ended(self, rows: int, answered: Iterable[int], now: float, seconds: float) -> None:
        """A run of so many that took so long, with the rows of each submission that is answered
        now, the last of its rows with this run."""
        self._free += 1
        self._running -= rows
        self._forget_late(now)
        self._expected.extend(answered)
        self._coming = sum(self._expected)
        self._until = now + LINGER * seconds

    def wait(self, waiting: int, now: float) -> float:
        """How long those who wait should wait for others; 0 where a run should start."""
        self._forget_late(now)
        if self._free and self._coming and 0 < waiting < self.of(waiting):
            return self._until - now
        return 0

    def of(self, waiting: int) -> int:
        """Rows of the next run, of which one at least is free."""
        coming = waiting + self._coming
        return min(
            self._max_batch_size,
            math.ceil(coming / self._free),
            math.ceil((coming + self._running) / self._concurrency),
        )

    def _forget_late(self, now: float) -> None:
        if now >= self._until:
            self._expected.clear()
            self._coming = 0
