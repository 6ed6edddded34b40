"""The open streams: their order, capacity, idle expiry and who holds the connection."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from service.backend.base import Model
from service.engine import state
from service.engine.store import Checkpoint, Store
from service.engine.stream_ids import StreamIds
from service.errors import Conflict, Expired, Full, Moved, ServiceError, UnknownStream


class Connection(Protocol):
    """A live connection on a stream."""

    def interrupt(self, error: ServiceError) -> None:
        """Close for this reason once the work in flight has settled."""
        ...


@dataclass(eq=False)
class Stream:
    """One conversation. `checkpoint` is replaced whole, and only after a run has succeeded."""

    model: Model
    checkpoint: Checkpoint
    idempotency_key: str | None = None
    durable: int = 0
    """The position of the last checkpoint in the store."""
    last_used: float = 0.0
    connection: Connection | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a chunk runs: chunks of one stream go one after the other, in order."""

    @property
    def id(self) -> str:
        return self.checkpoint.stream


class Streams:
    """All streams of this replica. Idle times are in seconds of `clock`."""

    def __init__(
        self,
        store: Store,
        ids: StreamIds,
        *,
        max_streams: int,
        idle_timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self._ids = ids
        self._max_streams = max_streams
        self._idle_timeout = idle_timeout
        self._clock = clock
        self._streams: dict[str, Stream] = {}
        self._by_key: dict[str, Stream] = {}
        self._living = 0
        self._connections: set[Connection] = set()
        self._last_detached = asyncio.Event()

    def __iter__(self) -> Iterator[Stream]:
        return iter(list(self._streams.values()))

    async def open(
        self, model: Model, idempotency_key: str | None = None, owner: str = ""
    ) -> Stream:
        """A stream at position 0, stored before it is returned.

        The same key again gives the same stream while it lives. Raises Full, and Conflict where
        the key has opened a stream on another model.
        """
        if idempotency_key is not None and (known := self._by_key.get(idempotency_key)):
            if known.model is not model:
                raise Conflict(f"this key has opened a stream on {known.checkpoint.model}")
            return self.get(known.id)
        if self._living >= self._max_streams:
            raise Full(f"{self._max_streams} streams are open, the limit; try again", retry_after=5)
        manifest = model.manifest
        checkpoint = Checkpoint(
            stream=self._ids.new(owner),
            model=manifest.name,
            version=manifest.version,
            position=0,
            logits=np.empty((0, len(manifest.contract.labels)), dtype=np.float32),
            state=state.initial(manifest.contract),
        )
        stream = Stream(model, checkpoint, idempotency_key, last_used=self._clock())
        self._streams[stream.id] = stream
        self._living += 1
        if idempotency_key is not None:
            self._by_key[idempotency_key] = stream
        await self.store.save(checkpoint)
        return stream

    def get(self, stream_id: str) -> Stream:
        """The stream of that id, touched. Raises UnknownStream, or Expired if it was ours."""
        if (stream := self._streams.get(stream_id)) is None:
            if self._ids.is_ours(stream_id):
                raise self._expired()
            raise UnknownStream("there is no such stream; open one and use the id it gets")
        stream.last_used = self._clock()
        return stream

    async def commit(self, stream: Stream, checkpoint: Checkpoint) -> None:
        """The only place where a stream moves. Raises Expired where it was removed meanwhile."""
        if stream.id not in self._streams:
            raise self._expired()
        await self.store.save(checkpoint)
        stream.checkpoint = checkpoint
        stream.durable = checkpoint.position
        stream.last_used = self._clock()

    async def end(self, stream: Stream) -> int:
        """End the stream and give its last position; ended again, it answers the same."""
        async with stream.lock:
            if not stream.checkpoint.ended:
                rest = stream.checkpoint.logits[:0]
                ended = replace(stream.checkpoint, logits=rest, state={}, ended=True)
                await self.commit(stream, ended)
                self._living -= 1
            return stream.checkpoint.position

    async def remove(self, stream: Stream) -> None:
        """Erase every copy; a connection on it is told that it expired."""
        if self._streams.pop(stream.id, None) and not stream.checkpoint.ended:
            self._living -= 1
        if stream.idempotency_key is not None:
            self._by_key.pop(stream.idempotency_key, None)
        await self.store.delete(stream.id)
        if stream.connection is not None:
            stream.connection.interrupt(self._expired())

    async def expire_idle(self) -> None:
        """Remove the streams that nobody has touched for the idle timeout."""
        oldest = self._clock() - self._idle_timeout
        for stream in self:
            if stream.last_used < oldest and not stream.lock.locked():
                await self.remove(stream)

    def attach(self, stream: Stream, connection: Connection) -> None:
        """Make this the stream's connection; an older one is closed as moved."""
        if stream.connection is not None:
            stream.connection.interrupt(Moved("another connection resumed this stream"))
        stream.connection = connection
        self._connections.add(connection)

    def detach(self, stream: Stream, connection: Connection) -> None:
        """The connection has gone; the stream stays for whoever resumes it."""
        if stream.connection is connection:
            stream.connection = None
        self._connections.discard(connection)
        if not self._connections:
            self._last_detached.set()

    async def close_connections(self, reason: ServiceError, within: float) -> None:
        """Interrupt every connection and wait, `within` seconds at most, until they have gone."""
        self._last_detached.clear()
        for connection in self._connections:
            connection.interrupt(reason)
        if self._connections:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._last_detached.wait(), within)

    def _expired(self) -> Expired:
        return Expired(
            f"the stream was ended, deleted or idle for {self._idle_timeout:g} s; open a new one"
        )
