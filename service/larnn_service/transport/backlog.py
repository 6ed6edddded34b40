"""What has come on a connection and is not parsed, and the turns in which it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

LARGEST, SMALLEST = 2**14, 2**7
"""Bytes of a piece."""
SLOW = 5e-4
"""Seconds that a piece may take to parse: then the next one is smaller."""
TURN = 4e-3
"""Seconds of a turn of the event loop for all connections that have more than a piece."""


class Backlog:
    """Bytes, handed out in pieces. Of a client that sends what takes long, such as many tiny
    frames, the pieces are small."""

    def __init__(self, first: int = LARGEST) -> None:
        """`first`: bytes of the first piece, at most `LARGEST`."""
        self._data, self._place, self._size, self._began = b"", 0, first, 0.0
        self.size = 0
        """Bytes that wait."""

    def add(self, data: bytes) -> None:
        """More has come."""
        self._data = self._data[self._place :] + data if self.size else data
        self._place, self.size = 0, len(self._data)

    @property
    def is_one_piece(self) -> bool:
        """Whether the next piece is all of it."""
        return self.size <= self._size

    @property
    def is_small(self) -> bool:
        """Whether it is a few pieces, as a request's body may be."""
        return self.size <= 4 * self._size

    def next(self) -> bytes:
        """The next piece, until `parsed`."""
        self._began = time.perf_counter()
        if self.size <= self._size:
            piece = self._data[self._place :]
            self._data, self._place, self.size = b"", 0, 0
        else:
            piece = self._data[self._place : self._place + self._size]
            self._place += self._size
            self.size -= self._size
        return piece

    def parsed(self) -> float:
        """The piece is parsed: how long that took is the measure of the next one.

        Returns the time now, as `time.perf_counter` has it.
        """
        now = time.perf_counter()
        seconds = now - self._began
        if seconds > SLOW:
            self._size = max(self._size // 2, SMALLEST)
        elif seconds < SLOW / 4 and self._size < LARGEST:
            self._size *= 2
        return now

    def take_all(self) -> bytes:
        """All of it."""
        data = self._data[self._place :]
        self.clear()
        return data

    def clear(self) -> None:
        """Forget it."""
        self._data, self._place, self.size = b"", 0, 0


class Turns:
    """Connections that have more to read have turns, one piece after the other."""

    def __init__(self, turn: float = TURN, pause: float = 0) -> None:
        """`turn`: seconds for pieces, and one in any case; `pause`: seconds before each turn."""
        self._turn, self._pause = turn, pause
        self.waiting: dict[Callable[[], None], None] = {}
        """Those that have a turn to come."""
        self._scheduled = False

    def add(self, work: Callable[[], None]) -> None:
        """`work` is called once, in a turn of the event loop that comes."""
        self.waiting[work] = None
        self._schedule()

    def remove(self, work: Callable[[], None]) -> None:
        """It is not called."""
        self.waiting.pop(work, None)

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_later(self._pause, self._take)

    def _take(self) -> None:
        self._scheduled = False
        until = time.perf_counter() + self._turn
        while self.waiting:
            work = next(iter(self.waiting))
            del self.waiting[work]
            work()
            if time.perf_counter() >= until:
                break
        if self.waiting:
            self._schedule()
