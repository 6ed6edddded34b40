"""classify() and advance(): the only two doors from the web's side to the models."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from service.backend.base import Floats, Model
from service.engine import state
from service.engine.batcher import Batcher
from service.engine.streams import Stream, Streams
from service.errors import (
    Backpressure,
    BadValue,
    Draining,
    Expired,
    Full,
    Gap,
    UnknownModel,
)
from service.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True)
class Chunk:
    """Steps of a stream: [steps, channels], `offset` of them sent before."""

    offset: int
    steps: Floats
    acked: int | None = None
    """The position up to which the client has its answers; its offset unless told."""

    @property
    def end(self) -> int:
        return self.offset + len(self.steps)


@dataclass(frozen=True)
class Advanced:
    """The answer to a chunk: logits [steps, classes], of each of its steps."""

    position: int
    """Steps consumed up to the end of this chunk."""
    durable: int
    logits: Floats


class Engine:
    """Models, their batchers and the open streams of one replica."""

    def __init__(self, models: Mapping[str, Model], streams: Streams, settings: Settings) -> None:
        self.models = models
        self.streams = streams
        self.default_model = settings.model
        self.ready = False
        self.draining = False
        self._timeout = settings.request_timeout
        self._max_unacked_steps = settings.max_unacked_steps
        self._executor = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="run")
        self._batchers = {
            name: Batcher(
                model,
                self._executor,
                concurrency=settings.concurrency,
                max_batch_size=settings.max_batch_size,
                max_run_steps=settings.max_run_steps,
                max_waiting_steps=settings.max_waiting_steps,
            )
            for name, model in models.items()
        }

    def model(self, name: str | None) -> Model:
        """The named model, or the default one. Raises UnknownModel."""
        model = self.models.get(self.default_model if name is None else name)
        if model is None:
            raise UnknownModel(
                f"there is no such model; GET /models lists them: {', '.join(self.models)}"
            )
        return model

    async def classify(self, model: Model, sequences: Sequence[Floats]) -> Floats:
        """Logits [batch, classes] of the last step of each sequence [steps, channels].

        A window is a stream that starts from an empty queue and ends.
        """
        self._admit()
        start = state.initial(model.manifest.contract)
        replies = self._batchers[model.manifest.name].submit([(x, start) for x in sequences])
        results = await self._in_time(asyncio.gather(*replies, return_exceptions=True))
        last = []
        for index, result in enumerate(results):
            if isinstance(result, BadValue):
                raise BadValue(f"sequences[{index}]: {result.detail}")
            if isinstance(result, BaseException):
                raise result
            last.append(result[0][-1])
        return np.stack(last)

    async def open(
        self, model: Model, idempotency_key: str | None = None, owner: str = ""
    ) -> Stream:
        """A new stream of this owner. Raises Full, Draining."""
        self._admit()
        return await self.streams.open(model, idempotency_key, owner)

    def resume(self, stream_id: str) -> Stream:
        """The stream of that id. Raises UnknownStream, Expired, Draining."""
        self._admit()
        return self.streams.get(stream_id)

    async def advance(self, stream: Stream, chunk: Chunk) -> Advanced:
        """Consume the steps that the stream has not seen, and answer for all of the chunk.

        Raises Gap where steps are missing before it, BadValue where it contradicts what was
        acknowledged, Backpressure where too much is unacknowledged, Expired after the end.
        """
        self._admit()
        async with stream.lock:
            before = stream.checkpoint
            if before.ended:
                raise Expired("the stream has ended; open a new one")
            if chunk.offset > before.position:
                raise Gap(chunk.offset, before.position)
            kept = self._unacknowledged(stream, chunk)
            fresh = chunk.steps[before.position - chunk.offset :]
            if len(fresh):
                batcher = self._batchers[before.model]
                [reply] = batcher.submit([(fresh, before.state)])
                logits, moved = await self._in_time(reply)
                kept = np.concatenate([kept, logits])
                position = before.position + len(fresh)
                after = replace(before, position=position, logits=kept, state=moved)
                await self.streams.commit(stream, after)
            start = stream.checkpoint.position - len(kept)
            return Advanced(
                chunk.end, stream.durable, kept[chunk.offset - start : chunk.end - start]
            )

    def _unacknowledged(self, stream: Stream, chunk: Chunk) -> Floats:
        """The kept logits from what the client still wants on."""
        position, logits = stream.checkpoint.position, stream.checkpoint.logits
        acked = chunk.offset if chunk.acked is None else chunk.acked
        if acked > chunk.offset:
            raise BadValue(f"acked {acked} lies behind the chunk's offset {chunk.offset}")
        first = position - len(logits)
        if chunk.offset < first:
            raise BadValue(
                f"the answers before step {first} were acknowledged and are gone; "
                f"the stream is at {position}: send what follows",
                expected_offset=position,
            )
        kept = logits[max(acked - first, 0) :]
        if len(kept) + max(chunk.end - position, 0) > self._max_unacked_steps:
            raise Backpressure(
                f"more than {self._max_unacked_steps} steps are unacknowledged; "
                "read the answers and send `acked`"
            )
        return kept

    async def warm_up(self) -> None:
        """Run every model once, so that the first client does not wait for it."""
        for model in self.models.values():
            channels = len(model.manifest.contract.channels)
            await self.classify(model, [np.zeros((2, channels), dtype=np.float32)] * 2)
        self.ready = True

    async def drain(self, within: float) -> None:
        """Take no new work, and wait until the connections have closed, each after its own."""
        self.ready, self.draining = False, True
        await self.streams.close_connections(Draining(), within)

    def close(self) -> None:
        """Stop the threads of the runs."""
        self._executor.shutdown(cancel_futures=True)

    def _admit(self) -> None:
        if self.draining:
            raise Draining()

    async def _in_time(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._timeout):
                return await work
        except TimeoutError:
            raise Full(
                f"no run was free within {self._timeout:g} s; try again", retry_after=1
            ) from None
