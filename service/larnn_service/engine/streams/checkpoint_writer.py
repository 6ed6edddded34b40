"""When streams are written to the store, and what happens when it refuses."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable

from larnn_service.engine.store.interface import Outcome, Store
from larnn_service.engine.store.memory import MemoryStore
from larnn_service.engine.streams.checkpoint import Checkpoint
from larnn_service.engine.streams.stream import Stream
from larnn_service.errors import Expired, Moved, ServiceError, Unavailable
from larnn_service.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)


class Checkpoints:
    """Every `steps` steps and `interval` seconds at most, without an answer waiting for it.

    `lose` is called with a stream that the store refuses: this replica owns it no longer.
    """

    def __init__(
        self,
        store: Store,
        lose: Callable[[Stream, ServiceError], None],
        metrics: Metrics,
        *,
        steps: int,
        interval: float,
    ) -> None:
        self._store = store
        self._lose = lose
        self._metrics = metrics
        self._steps = steps
        self._interval = interval
        self._running: set[asyncio.Task[None]] = set()

    def due(self, stream: Stream) -> None:
        """After a stream has moved: write it now or by the end of the interval."""
        if stream.checkpoint.position - stream.durable >= self._steps:
            self.start(stream)
        else:
            self._wait(stream)

    def start(self, stream: Stream) -> None:
        """Write the stream in the background; one that the store cannot take yet is tried again."""
        if not stream.writing.locked():
            task = asyncio.create_task(self._try(stream))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def write(self, stream: Stream) -> None:
        """Write what is not written yet; where that fails it is tried again after the interval.

        Raises Moved, Expired, Unavailable.
        """
        async with stream.writing:
            if stream.timer is not None:
                stream.timer.cancel()
                stream.timer = None
            if stream.lost is not None:
                raise stream.lost
            if not stream.dirty:
                return
            checkpoint = stream.checkpoint
            try:
                outcome = await self._save(checkpoint)
            except (Unavailable, asyncio.CancelledError):  # the store is away, or the caller went
                self._wait(stream)
                raise
            self._written(stream, checkpoint, outcome)

    def keep(self, stream: Stream) -> None:
        """`write` to the memory of this process, which nobody has to wait for."""
        assert isinstance(self._store, MemoryStore)
        checkpoint, start = stream.checkpoint, time.perf_counter()
        outcome = self._store.put(checkpoint)
        self._observe(outcome, start)
        self._written(stream, checkpoint, outcome)

    def _written(self, stream: Stream, checkpoint: Checkpoint, outcome: Outcome) -> None:
        if outcome == "saved":
            stream.durable = checkpoint.position
            stream.dirty = stream.checkpoint is not checkpoint
            if stream.recorder is not None:
                stream.recorder.settle(checkpoint.position)
            return
        error = moved() if outcome == "moved" else Expired("the stream is gone; open a new one")
        self._lose(stream, error)
        raise error

    async def _save(self, checkpoint: Checkpoint) -> Outcome:
        start = time.perf_counter()
        try:
            outcome = await self._store.save(checkpoint)
        except Unavailable:
            self._observe("unavailable", start)
            raise
        self._observe(outcome, start)
        return outcome

    def _observe(self, outcome: str, start: float) -> None:
        seconds = time.perf_counter() - start
        self._metrics.observer(self._metrics.checkpoints, outcome).observe(seconds)

    async def write_all(self, streams: Iterable[Stream]) -> None:
        """Write every stream; what fails is logged, and the others are written."""
        await asyncio.gather(*(self._try(stream) for stream in streams if stream.dirty))

    async def _try(self, stream: Stream) -> None:
        try:
            await self.write(stream)
        except Unavailable:
            pass  # the store's own log line says so, and why
        except ServiceError as error:
            logger.info("a stream is no longer this replica's: %s", error.code)
        else:
            if stream.dirty:  # it moved on meanwhile
                self.due(stream)

    def _wait(self, stream: Stream) -> None:
        if stream.timer is None:
            loop = asyncio.get_running_loop()
            stream.timer = loop.call_later(self._interval, self._expire, stream)

    def _expire(self, stream: Stream) -> None:
        stream.timer = None
        self.start(stream)


def moved() -> Moved:
    """For whoever holds an older fence than the store."""
    return Moved("another connection resumed this stream")
