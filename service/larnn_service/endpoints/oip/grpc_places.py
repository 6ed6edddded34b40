"""Places that are waited for: those in which messages come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from larnn_service.admission.shares import FairShares


class MessagePlaces:
    """Shared among callers, each of whom waits in a queue of its own."""

    def __init__(self, shares: FairShares) -> None:
        self._shares = shares
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def one(self, name: str) -> AsyncIterator[None]:
        """A place of the caller of this name, when there is one."""
        if name in self._waiting or not self._shares.has_room(name):
            await self._wait(name)
        else:
            self._shares.take(name)
        try:
            yield
        finally:
            self._shares.give_back(name)
            self._hand_out()

    async def _wait(self, name: str) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(name, deque()).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # it was handed out meanwhile
                self._shares.give_back(name)
            self._hand_out()
            raise

    def _hand_out(self) -> None:
        for name, waiting in list(self._waiting.items()):
            while waiting and (waiting[0].done() or self._shares.has_room(name)):
                place = waiting.popleft()
                if not place.done():
                    self._shares.take(name)
                    place.set_result(None)
            if not waiting:
                del self._waiting[name]
