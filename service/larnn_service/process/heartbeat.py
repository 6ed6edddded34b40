"""Whether workers are alive: each counts on in memory that it shares with its parent.

A worker's event loop counts, once it runs, so that one that stands still is noticed like a process
that does. The parent counts its own looks, not seconds: one that was stopped itself blames nobody.
"""

from __future__ import annotations

import asyncio
import mmap
import threading
import time
from collections.abc import Callable

LOOKS = 4
"""Of the parent, in the time that a worker may be silent."""


class Heartbeats:
    """One count for each worker, by its number. Made before they are forked."""

    def __init__(
        self, workers: int, timeout: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`timeout`: seconds for which a worker may be silent."""
        self._clock = clock
        self._counts = memoryview(mmap.mmap(-1, 8 * workers)).cast("Q")
        self._every = timeout / LOOKS
        self._seen = [(0, 0)] * workers
        """Of each worker its count as it was seen last, and how often it was the same."""
        self._next_look = clock() + self._every
        self._in_loop = threading.Event()

    def begin(self, number: int) -> None:
        """In a worker: count on from a thread, until a loop does."""
        threading.Thread(target=self._count_until_a_loop_does, args=[number], daemon=True).start()

    def go_on(self, number: int) -> None:
        """In a worker's running event loop: count on from there."""
        self._in_loop.set()
        self._count(number)
        asyncio.get_running_loop().call_later(self._every / 2, self.go_on, number)

    def forget(self, number: int) -> None:
        """In the parent: another process gets this number."""
        self._seen[number] = self._counts[number], 0

    def silent(self) -> list[int]:
        """In the parent, asked often: who has been silent for too long."""
        now = self._clock()
        if now < self._next_look:
            return []
        self._next_look = now + self._every
        for number, (count, times) in enumerate(self._seen):
            same = self._counts[number] == count
            self._seen[number] = self._counts[number], times + 1 if same else 0
        return [number for number, (_, times) in enumerate(self._seen) if times >= LOOKS]

    def until_next_look(self) -> float:
        """Seconds."""
        return max(self._next_look - self._clock(), 0)

    def _count_until_a_loop_does(self, number: int) -> None:
        while not self._in_loop.wait(self._every / 2):
            self._count(number)

    def _count(self, number: int) -> None:
        self._counts[number] += 1
