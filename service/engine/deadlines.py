"""When replies are due, with one timer for all: one for each would cost a request as much as its
place in the queue."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from service.errors import Full

Reply = asyncio.Future[Any]


class Deadlines:
    """Of replies that all have as long. A reply that is late fails with Full."""

    def __init__(self, within: float) -> None:
        """Seconds; infinite for no deadline."""
        self._within = within
        self._since: dict[Reply, float] = {}
        """By the loop's clock, the oldest first."""
        self._timer: asyncio.TimerHandle | None = None

    def add(self, reply: Reply, now: float) -> None:
        """Until `remove`."""
        self._since[reply] = now
        if self._timer is None and self._within < math.inf:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(now + self._within, self._look)

    def remove(self, reply: Reply) -> None:
        """It is done."""
        self._since.pop(reply, None)

    def _look(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        latest = loop.time() - self._within
        while self._since:
            reply, since = next(iter(self._since.items()))
            if since > latest:
                self._timer = loop.call_at(since + self._within, self._look)
                return
            del self._since[reply]
            if not reply.done():
                reply.set_exception(late(self._within))


def late(within: float) -> Full:
    """What a client is told whose answer did not come in time."""
    return Full(f"no run was free within {within:g} s; try again", retry_after=1)
