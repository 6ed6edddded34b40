"""The open streams: opened, resumed from the store, moved, put to rest, ended."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary

from msgspec.structs import replace

from larnn_service.engine.capture.capture import Capture
from larnn_service.engine.models.registry import Models
from larnn_service.engine.store.interface import Head, Store
from larnn_service.engine.streams.checkpoint import Begin, Checkpoint, beginning, check_same_opening
from larnn_service.engine.streams.checkpoint_writer import Checkpoints, moved
from larnn_service.engine.streams.connections import Connections
from larnn_service.engine.streams.places import Places
from larnn_service.engine.streams.stored import Stored
from larnn_service.engine.streams.stream import Connection, Stream
from larnn_service.errors import Expired, Full, Moved, ServiceError
from larnn_service.interfaces import Model, Steps
from larnn_service.stream_ids import StreamIds
from larnn_service.telemetry.metrics import Metrics

T = TypeVar("T")


class Streams:
    """All streams that this replica owns. Idle times are in seconds of `clock`.

    A stream is in memory from when it is opened or resumed until it is idle. What the memory store
    has expires then; what another store has rests there, and is resumed on the next chunk.
    """

    def __init__(
        self,
        store: Store,
        ids: StreamIds,
        models: Models,
        places: Places,
        *,
        idle_timeout: float,
        checkpoint_steps: int = 1,
        checkpoint_interval: float = 1.0,
        connection_age: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        metrics: Metrics | None = None,
        capture: Capture | None = None,
    ) -> None:
        self.store = store
        self._stored = Stored(store, models, ids)
        self.metrics = metrics or Metrics()
        self.connections = Connections(connection_age)
        self.checkpoints = Checkpoints(
            store, self._lose, self.metrics, steps=checkpoint_steps, interval=checkpoint_interval
        )
        self.ids = ids
        self.places = places
        self.capture = capture
        self._idle_timeout = idle_timeout
        self._clock = clock
        self._rests = store.survives != "connection"
        """Streams that leave memory rest in the store."""
        self._arriving: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def __iter__(self) -> Iterator[Stream]:
        return iter(self.places)

    async def open(
        self, model: Model, key: str | None = None, begin: Begin | None = None, owner: str = ""
    ) -> Stream:
        """A stream that begins as `begin` says, or at position 0, stored before it is returned.

        The same key again gives the same stream while it lives. Raises Full, Unavailable, and
        Conflict where the key has opened another one.
        """
        checkpoint = (begin or partial(beginning, model))(self.ids.new(owner))
        self.places.check_kept(checkpoint.outputs.nbytes, owner=owner)
        with self._room(owner):
            head = await self.store.create(checkpoint, key)
            if isinstance(head, Head):
                self._note("opened")
                return self._add(model, replace(checkpoint, fence=head.fence), owner)
        try:
            stream = await self.resume(head, owner)
        except Expired:  # damaged, or gone since: nothing stands under this key
            await self.store.delete(head)
            return await self.open(model, key, begin, owner)
        context = {t.name for each in (model, stream.model) for t in each.manifest.contract.context}
        async with stream.lock:
            if context:
                await self.wake(stream)
            check_same_opening(stream.checkpoint, checkpoint, context)
        return stream

    async def resume(self, stream_id: str, owner: str = "") -> Stream:
        """The stream of that id, this replica's from now on, touched.

        What is in memory counts only while its fence is the store's: else another replica has gone
        on with the stream, and its checkpoint is taken. Raises UnknownStream, or Expired where it
        was ours; UnknownModel, Full, Unavailable.
        """
        lock = self._arriving.setdefault(stream_id, asyncio.Lock())
        async with lock:
            stream, head = await self._find(stream_id)
            if stream is None:
                model = await self._stored.model(stream_id, head)
                with self._room(owner):
                    taken = await self._read(stream_id, self._stored.take(stream_id, model))
                    stream = self._add(model, taken, owner)
                self._note("resumed")
                if taken.version != model.manifest.version:
                    await self.migrate(stream, model)
            stream.last_used = self._clock()
            return stream

    async def look(self, stream_id: str) -> Stream:
        """The stream as it stands, without taking it from its owner. Raises as `resume` does."""
        stream, head = await self._find(stream_id)
        if stream is not None:
            async with stream.lock:
                await self.wake(stream)
            stream.last_used = self._clock()
            return stream
        model = await self._stored.model(stream_id, head)
        checkpoint = await self._read(stream_id, self._stored.load(stream_id, model))
        return Stream(model, checkpoint, durable=checkpoint.position)

    def check(self, stream: Stream) -> None:
        """Note that the stream is used. Raises Moved or Expired where it was lost."""
        if stream.lost is not None:
            raise stream.lost
        stream.last_used = self._clock()

    async def wake(self, stream: Stream) -> None:
        """Have the state of a stream that rests. With its lock held. Raises Moved, Expired."""
        self.check(stream)
        if stream.resting:
            checkpoint = await self._read(stream.id, self._stored.load(stream.id, stream.model))
            if checkpoint.fence != stream.checkpoint.fence:
                self._lose(stream, moved())
                raise moved()
            stream.checkpoint, stream.resting = checkpoint, False
            self.places.note(stream)

    def commit(self, stream: Stream, checkpoint: Checkpoint, steps: Steps | None = None) -> None:
        """The only place where a stream moves; it is written at once or soon.

        `steps`: those that were run. Raises Moved or Expired where it was lost meanwhile.
        """
        self.check(stream)
        if checkpoint.ended and not stream.checkpoint.ended:
            self._note("ended")
        stream.checkpoint = checkpoint
        self.places.note(stream)
        if stream.recorder is not None:
            stream.recorder.take(stream.model, checkpoint, steps)
        stream.dirty = True
        if not self._rests:
            self.checkpoints.keep(stream)
        else:
            self.checkpoints.due(stream)

    async def migrate(self, stream: Stream, model: Model) -> bool:
        """Let the stream go on with another version of its model, of the same contract.

        Whether it did: one that has ended, or is no longer this replica's, does not.
        Raises Unavailable.
        """
        async with stream.lock:
            with contextlib.suppress(Moved, Expired):
                await self.wake(stream)
                if not stream.checkpoint.ended:
                    stream.model = model
                    self.commit(stream, replace(stream.checkpoint, version=model.manifest.version))
                    await self.checkpoints.write(stream)
                    self._note("migrated")
                    return True
        return False

    async def end(self, stream: Stream) -> int:
        """End the stream and give its last position; ended again, it answers the same."""
        async with stream.lock:
            await self.wake(stream)
            if not stream.checkpoint.ended:
                self.commit(stream, stream.checkpoint.end(stream.checkpoint.outputs[:0]))
            await self.checkpoints.write(stream)
            return stream.checkpoint.position

    async def remove(self, stream_id: str) -> None:
        """Erase every copy, damaged or not. Raises UnknownStream, Expired, Unavailable."""
        erased = self.ids.is_possible(stream_id) and await self.store.delete(stream_id)
        if (stream := self.places.get(stream_id)) is not None:
            self._lose(stream, self._stored.expired())
        if not erased:
            raise self._stored.gone(stream_id)
        self._note("removed")

    async def rest_idle(self) -> None:
        """Free what expired in the store, then let idle streams rest. Raises Unavailable."""
        await self.store.purge()
        oldest = self._clock() - self._idle_timeout
        for stream in self:
            if stream.last_used < oldest and not stream.lock.locked() and not stream.resting:
                if not self._rests:
                    await self.store.delete(stream.id)
                    self._note("evicted")
                    self._lose(stream, self._stored.expired())
                else:
                    await self._rest(stream, oldest)

    def attach(self, stream: Stream, connection: Connection) -> None:
        """Make this the stream's connection; an older one is closed as moved."""
        self.connections.attach(stream, connection)

    def detach(self, stream: Stream, connection: Connection) -> None:
        """The connection has gone; the stream is written, and stays for whoever resumes it."""
        self.connections.detach(stream, connection)
        if stream.dirty and stream.lost is None:
            self.checkpoints.start(stream)
        elif stream.resting and stream.connection is None:
            self._drop(stream)

    async def _rest(self, stream: Stream, oldest: float) -> None:
        async with stream.lock:
            await self.checkpoints.write_all([stream])
            if stream.dirty or stream.lost is not None or stream.last_used >= oldest:
                return  # the store is away, or another's, or someone came meanwhile
            self._note("evicted")
            if stream.connection is None:
                self._drop(stream)
            else:
                none = stream.checkpoint.outputs[:0].copy()
                stream.checkpoint = replace(stream.checkpoint, outputs=none, state={})
                stream.resting = True
                self.places.note(stream)

    async def _find(self, stream_id: str) -> tuple[Stream | None, Head]:
        """The stream if it is in memory and still this replica's, and what the store says of it."""
        if not self.ids.is_possible(stream_id):
            raise self._stored.gone(stream_id)
        head = await self._read(stream_id, self._stored.head(stream_id))
        stream = self.places.get(stream_id)
        if stream is not None and stream.checkpoint.fence < head.fence:
            self._lose(stream, moved())
            stream = None
        return stream, head

    async def _read(self, stream_id: str, reading: Awaitable[T | None]) -> T:
        """What the store has of the stream. Where that is nothing, or damaged, it is lost here."""
        try:
            if (found := await reading) is not None:
                return found
            error = self._stored.gone(stream_id)
        except Expired as damaged:
            error = damaged
        if (stream := self.places.get(stream_id)) is not None:
            self._lose(stream, error)
        raise error

    def _add(self, model: Model, taken: Checkpoint, owner: str) -> Stream:
        stream = Stream(model, taken, taken.position, last_used=self._clock(), owner=owner)
        self.places.add(stream)
        if self.capture is not None:
            stream.recorder = self.capture.recorder(taken, owner)
        return stream

    @contextlib.contextmanager
    def _room(self, owner: str) -> Iterator[None]:
        """A place for one more. Raises Full."""
        try:
            with self.places.room(owner, self._evict if self._rests else None):
                yield
        except Full:
            self._note("refused")
            raise

    def _evict(self, stream: Stream) -> None:
        self._note("evicted")
        self._drop(stream)

    def _drop(self, stream: Stream) -> None:
        if stream.recorder is not None:
            stream.recorder.leave()
        self.places.remove(stream)

    def _lose(self, stream: Stream, error: ServiceError) -> None:
        """The stream is another's or gone: whoever still holds it here is told."""
        stream.lost = error
        if isinstance(error, Moved):
            self._note("moved")
        self._drop(stream)
        stream.interrupt(error)

    def _note(self, event: str) -> None:
        self.metrics.streams.labels(event).inc()
