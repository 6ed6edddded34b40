"""In which order chunks are worked on: those of live streams before those that were sent ahead."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

RECENT = 1.0
"""Seconds after a live stream's chunk in which chunks that were sent ahead take turns and have few
places."""
SHARE = 8
"""Then one in so many places is given to them."""
HOLD = 0.002
"""Seconds after which one of them has a turn even while chunks of others are in work."""

Line = deque[asyncio.Future[None]]


class Pacer:
    """Bounds how many chunks that were sent ahead are in work at a time.

    Beside live streams they have few places. They also take turns, to enter work and to leave it
    with their answer: one in each turn of the event loop, and none while a chunk is in work whose
    client waits for the answer.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._taken = 0
        self._entering: Line = deque()
        self._leaving: Line = deque()
        self._waited_for = 0
        self._last_live = float("-inf")
        self._next: asyncio.Handle | None = None
        """The scheduled call that gives the next turn, if there is one."""

    @contextlib.asynccontextmanager
    async def first(self, live: bool = False) -> AsyncIterator[None]:
        """A chunk in work whose client waits for the answer: from `begin` to `end`."""
        self.begin(live)
        try:
            yield
        finally:
            self.end()

    def begin(self, live: bool) -> None:
        """A chunk comes into work whose client waits for the answer, or whose stream is live."""
        self._waited_for += 1
        if live:
            self._last_live = asyncio.get_running_loop().time()

    def end(self) -> None:
        """The chunk of `begin` is answered."""
        self._waited_for -= 1
        if not self._waited_for and self._next is not None:
            self._next.cancel()
            self._schedule()

    @contextlib.asynccontextmanager
    async def ahead(self) -> AsyncIterator[None]:
        """A chunk in work that was sent ahead, once there is a place for it."""
        await self._turn(self._entering)
        try:
            yield
            await self._turn(self._leaving)
        finally:
            self._give_back()

    async def _turn(self, line: Line) -> None:
        """Wait for a turn to enter work, which takes a place, or to leave it."""
        if not line and not self._beside_live() and self._may(line):
            self._taken += line is self._entering
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        if self._next is None:
            self._schedule()
        try:
            await turn
        except asyncio.CancelledError:
            was_given_a_place = line is self._entering and turn.done() and not turn.cancelled()
            if was_given_a_place:
                self._give_back()
            raise
        finally:
            line.remove(turn)

    def _give_back(self) -> None:
        self._taken -= 1
        if self._next is None:
            self._schedule()

    def _beside_live(self) -> bool:
        return asyncio.get_running_loop().time() - self._last_live < RECENT

    def _may(self, line: Line) -> bool:
        """Whether a chunk of this line may go on: leaving needs no place, entering needs one."""
        if line is self._leaving:
            return True
        places = max(self._places // SHARE, 1) if self._beside_live() else self._places
        return self._taken < places

    def _schedule(self) -> None:
        """Schedule the next turn: none if nobody may have one; later, so that chunks whose clients
        wait go first; or at the next turn of the event loop."""
        loop = asyncio.get_running_loop()
        entering = _waiting(self._entering) and self._may(self._entering)
        if not _waiting(self._leaving) and not entering:
            self._next = None
        elif self._waited_for and self._beside_live():
            self._next = loop.call_later(HOLD, self._grant)
        else:
            self._next = loop.call_soon(self._grant)

    def _grant(self) -> None:
        """Give one turn; without live streams give all turns that there are."""
        for line in (self._leaving, self._entering):
            while (turn := _waiting(line)) and self._may(line):
                self._taken += line is self._entering
                turn.set_result(None)
                if self._beside_live():
                    return self._schedule()
        self._schedule()


def _waiting(line: Line) -> asyncio.Future[None] | None:
    """The first in the line without a turn. A future that was given a turn stays in line until its
    task has taken it, so that no later one overtakes it: the chunks of a stream enter in order."""
    return next((turn for turn in line if not turn.done()), None)
