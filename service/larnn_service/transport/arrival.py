"""Whether a request that has begun to come goes on to do so."""

from __future__ import annotations

import asyncio
from typing import Any

from larnn_service.transport.hub import Hub

DISCARDED_AT_ONCE = 2**20
"""Bytes of such a body behind which the connection is read in turns with others of that kind."""
MOST_DISCARDED = 2**26
"""Bytes of a body that may come after its request was answered: a client that sends all of it
before it reads gets its answer, and one that never ends is let go."""


class Arrival:
    """What comes on one connection, as the hub's deadline sees it."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._came = self._discarded = 0
        self.watched = False
        """A request is on its way."""

    def add(self, connection: Any, size: int, wanted: bool) -> bool:
        """So many bytes more. False where too many have come that nobody wants."""
        self._came += size
        self._discarded = 0 if wanted else self._discarded + size
        if self._discarded > DISCARDED_AT_ONCE:
            connection.pause_body()
            self._hub.discarding.add(connection.resume_body)
        return self._discarded <= MOST_DISCARDED

    def watch(self, connection: Any, arriving: bool) -> None:
        """Whether a request is on its way on the connection now."""
        if arriving is self.watched:
            return
        self.watched, self._came = arriving, 0
        if arriving:
            self._hub.arriving.add(connection, asyncio.get_running_loop().time())
        else:
            self._hub.arriving.remove(connection)

    def is_late(self, in_head: bool, we_wait: bool) -> bool:
        """After the arrival timeout: whether what came since is too little. `we_wait`: it is this
        service that does not read."""
        self.watched = False
        return not we_wait and (in_head or self._came < self._hub.limits.least_arrival)
