"""The websockets that are open on streams of this replica."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random

from larnn_service.engine.streams.stream import Connection, Stream
from larnn_service.errors import Draining, Moved, ServiceError

_OLD = "this connection has had its time"
_SHED = "this replica has more streams than its part"


class Connections:
    """Who is attached to which stream; one connection a stream.

    Each may last `age` seconds: its client comes back, and a balancer has it anew. Those that came
    together do not go together: each has its own part of the last fifth.
    """

    def __init__(self, age: float | None = None) -> None:
        self._age = age
        self._ends: dict[Connection, asyncio.TimerHandle] = {}
        self._connections: set[Connection] = set()
        self._last_detached = asyncio.Event()

    def __len__(self) -> int:
        return len(self._connections)

    def attach(self, stream: Stream, connection: Connection) -> None:
        """Make this the stream's connection; an older one is closed as moved."""
        stream.interrupt(Moved("another connection resumed this stream"))
        stream.connection = connection
        self._connections.add(connection)
        if self._age is not None:
            time = self._age * random.uniform(0.8, 1)
            loop = asyncio.get_running_loop()
            self._ends[connection] = loop.call_later(time, connection.interrupt, Draining(_OLD))

    def detach(self, stream: Stream, connection: Connection) -> None:
        """The connection has gone; the stream stays for whoever resumes it."""
        if stream.connection is connection:
            stream.connection = None
        self._connections.discard(connection)
        if (end := self._ends.pop(connection, None)) is not None:
            end.cancel()
        if not self._connections:
            self._last_detached.set()

    def shed(self, share: float) -> int:
        """Ask the clients of this share of the connections to connect anew; how many they are."""
        some = random.sample(list(self._connections), math.ceil(len(self) * share))
        for connection in some:
            connection.interrupt(Draining(_SHED))
        return len(some)

    async def close(self, reason: ServiceError, within: float) -> None:
        """Interrupt every connection and wait, `within` seconds at most, until they have gone."""
        self._last_detached.clear()
        for connection in list(self._connections):  # some detach at once
            connection.interrupt(reason)
        if self._connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._last_detached.wait(), within)
