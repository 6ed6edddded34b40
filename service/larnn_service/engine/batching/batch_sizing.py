"""How many rows a run takes: an even share of the rows that wait, run, or are about to come back.

If each run took all rows that wait, runs would stay as uneven as chance made them: fifty rows on
one thread and fourteen on the other, for as long as the clients ask. A run that takes its share
leaves the rest to the next one, and after a few runs all have the same size.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

LINGER = 0.25
"""Part of a run's time for which the clients that it answered are expected to ask again. They tend
to ask together, and a run of one row costs as much as one of four."""


class Shares:
    """Counts rows, and says how large the next run is and whether it should wait. Times are seconds
    of one clock."""

    def __init__(self, concurrency: int, max_batch_size: int) -> None:
        self._concurrency, self._max_batch_size = concurrency, max_batch_size
        self._free = concurrency
        self._running = 0
        self._expected: deque[int] = deque()
        """The number of rows of each submission that was just answered: it may be repeated."""
        self._coming = 0
        """The sum of these numbers."""
        self._until = -math.inf

    @property
    def free(self) -> int:
        """How many runs may start now."""
        return self._free

    def came(self) -> None:
        """A submission arrived. It counts as one that was expected, if any was."""
        if self._expected:
            self._coming -= self._expected.popleft()

    def started(self, rows: int) -> None:
        """A run of so many rows started."""
        self._free -= 1
        self._running += rows

    def ended(self, rows: int, answered: Iterable[int], now: float, seconds: float) -> None:
        """A run of so many rows ended after so many seconds. `answered` has the number of rows of
        each submission that this run completed."""
        self._free += 1
        self._running -= rows
        self._forget_late(now)
        self._expected.extend(answered)
        self._coming = sum(self._expected)
        self._until = now + LINGER * seconds

    def wait(self, waiting: int, now: float) -> float:
        """Seconds for which the waiting rows should wait for others; 0 if a run should start."""
        self._forget_late(now)
        if self._free and self._coming and 0 < waiting < self.of(waiting):
            return self._until - now
        return 0

    def of(self, waiting: int) -> int:
        """The number of rows of the next run, if at least one run is free."""
        soon = waiting + self._coming
        share_of_free = math.ceil(soon / self._free)
        share_of_all = math.ceil((soon + self._running) / self._concurrency)
        return min(self._max_batch_size, share_of_free, share_of_all)

    def _forget_late(self, now: float) -> None:
        if now >= self._until:
            self._expected.clear()
            self._coming = 0
