"""How many streams a bridge holds open at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator


class Seats:
    """At most so many connections. Who waits for one makes the lane leave that is idle longest."""

    def __init__(self, most: int) -> None:
        self._free = asyncio.Semaphore(most)
        self._waiting = 0
        self._idle: dict[asyncio.Event, None] = {}

    @contextlib.asynccontextmanager
    async def seat(self) -> AsyncIterator[None]:
        """Hold one of them, once it is free."""
        if self._free.locked():
            self._waiting += 1
            self._make_room()
            try:
                await self._free.acquire()
            finally:
                self._waiting -= 1
        else:
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()

    @contextlib.contextmanager
    def idle(self, leave: asyncio.Event) -> Iterator[None]:
        """The holder of a seat has nothing to do; `leave` is set when another one waits for it."""
        self._idle[leave] = None
        if self._waiting:
            self._make_room()
        try:
            yield
        finally:
            self._idle.pop(leave, None)

    def _make_room(self) -> None:
        if self._idle:
            leave = next(iter(self._idle))
            del self._idle[leave]
            leave.set()
