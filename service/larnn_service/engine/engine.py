"""classify() and advance(): the only two doors from the web's side to the models."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar
from weakref import ref

import numpy as np

from larnn_service.admission.byte_budget import WaitingBytes
from larnn_service.engine.at_once import Waits, at_once
from larnn_service.engine.batching.batcher import Batcher
from larnn_service.engine.batching.executor import RunThreads
from larnn_service.engine.batching.queue_entries import Outcome, Result, Then
from larnn_service.engine.batching.timeouts import late
from larnn_service.engine.models.lifecycle import ModelControl
from larnn_service.engine.models.registry import Models, key
from larnn_service.engine.streams import snapshot
from larnn_service.engine.streams.checkpoint import Checkpoint
from larnn_service.engine.streams.chunk import Advance, Advanced, Chunk
from larnn_service.engine.streams.fair_queue import Pacer
from larnn_service.engine.streams.registry import Streams
from larnn_service.engine.streams.stream import Stream
from larnn_service.errors import BadMessage, BadValue, Draining, ServiceError
from larnn_service.interfaces import Floats, Model, Steps
from larnn_service.settings import Settings
from larnn_service.telemetry.calls import concerns
from larnn_service.telemetry.runs import RunTelemetry

T = TypeVar("T")
Told = Advanced | Exception
"""What comes of a chunk."""


class Engine:
    """Models, their batchers and the open streams of one replica."""

    def __init__(self, models: Models, streams: Streams, settings: Settings) -> None:
        self.models = models
        self.streams = streams
        self.control = ModelControl(models, streams, self._warm)
        self.ready = False
        self.draining = False
        self.alone: Callable[[], bool] = lambda: False
        """Whether there is but one client. For whoever knows its connections to say."""
        self.pacer = Pacer(settings.max_ahead)
        self.waiting_bytes = WaitingBytes(settings.max_waiting_bytes)
        self._timeout = settings.request_timeout
        self._max_unacked_steps = settings.max_unacked_steps
        self._threads = RunThreads(settings.concurrency)
        self._batchers: dict[int, tuple[ref[Model], Batcher]] = {}
        """By the identity of each version that runs: it goes with its model."""
        self._metrics = streams.metrics
        self._new_batcher = partial(
            Batcher,
            threads=self._threads,
            concurrency=settings.concurrency,
            max_batch_size=settings.max_batch_size,
            max_run_steps=settings.max_run_steps,
            max_run_row_steps=settings.max_run_row_steps,
            max_waiting_steps=settings.max_waiting_steps,
            within=settings.request_timeout,
            alone=lambda: self.alone(),
        )

    def model(self, name: str | None, version: int | None = None) -> Model:
        """The named model, or the default one; the version that answers, or the named one.

        Raises UnknownModel.
        """
        return self.models.wanted(name, version)

    async def classify(self, model: Model, sequences: Sequence[Steps]) -> list[Floats]:
        """Logits [classes] of the last step of each sequence [steps, channels].

        A window is a stream that starts from an empty queue and ends.
        """
        return last_logits(await self._run(model, sequences, last=True))

    def begin_classify(
        self, model: Model, sequences: Sequence[Steps], then: Then
    ) -> Callable[[], None]:
        """`classify` without a task: `then` gets what `last_logits` takes. Returns what calls it
        off. Raises Full, Draining."""
        self._admit()
        batcher = self._batcher(model)
        submission = batcher.submit([(x, None) for x in sequences], then, ends=True)
        return partial(batcher.drop, submission)

    async def every_step(self, model: Model, sequences: Sequence[Floats]) -> list[Floats]:
        """Logits [steps, classes] of every step of each sequence; else as `classify`."""
        return _logits(await self._run(model, sequences, last=False))

    async def _run(self, model: Model, sequences: Sequence[Steps], last: bool) -> list[Outcome]:
        concerns(*key(model))
        self._admit()
        return await self._batcher(model).outcomes([(x, None) for x in sequences], last)

    async def open(
        self, model: Model, idempotency_key: str | None = None, owner: str = ""
    ) -> Stream:
        """A new stream of this owner. Raises Full, Draining, Unavailable."""
        self._admit()
        return await self.streams.open(model, idempotency_key, owner=owner)

    async def resume(self, stream_id: str) -> Stream:
        """The stream of that id, this replica's from now on.

        Raises UnknownStream, Expired, Draining, Full, Unavailable.
        """
        self._admit()
        return await self.streams.resume(stream_id)

    async def fork(
        self, stream_id: str, idempotency_key: str | None = None, owner: str = ""
    ) -> Stream:
        """A new stream that stands where this one does. Raises as `open` and `resume`."""
        self._admit()
        return await snapshot.fork(self.streams, stream_id, idempotency_key, owner)

    async def advance(
        self,
        stream: Stream,
        chunk: Chunk,
        settled: bool = False,
        explain: bool = False,
        ends: bool = False,
    ) -> Advanced:
        """Consume the steps that the stream has not seen, and answer for all of the chunk.

        `settled`: answer only when the store has all of it. `explain`: say where the last step
        looked, which runs the fresh steps once more. `ends`: nothing follows; a stream that ended
        so answers for this chunk again. Raises Gap where steps are missing before it, BadValue
        where it contradicts what was acknowledged, Backpressure where too much is unacknowledged,
        Expired after the end, Moved where another replica owns the stream,
        Unavailable where the store does not answer.
        """
        concerns(*key(stream.model), stream.id)
        self._admit()
        async with stream.lock:
            await self.streams.wake(stream)
            work = Advance(stream.checkpoint, chunk, self._max_unacked_steps)
            before = after = work.before
            attention = None
            if len(work.fresh):
                if explain:
                    attention = await self._in_time(self._explain(stream.model, work.fresh, before))
                rows = [(work.fresh, before.state)]
                [outcome] = await self._batcher(stream.model).outcomes(rows)
                after = work.moved(*_result(outcome))
            if ends and not before.ended:
                after = work.ended(after)
            if after is not before:
                self.streams.commit(stream, after)
            if settled:
                await self.streams.checkpoints.write(stream)
            return work.answer(stream.checkpoint, stream.durable, attention)

    def begin(self, stream: Stream, chunk: Chunk, then: Callable[[Told], None]) -> bool:
        """`advance` without a task, for a chunk that has to wait for its run alone.

        `then` gets what comes of it. False where the chunk may be refused, or has to wait for
        more: nothing has happened then, and `advance` tells.
        """
        if self.draining or stream.resting or stream.lost is not None or stream.lock.locked():
            return False
        try:
            at_once(stream.lock.acquire())
        except Waits:  # others are in line
            return False
        try:
            work = Advance(stream.checkpoint, chunk, self._max_unacked_steps)
            if begun := len(work.fresh) > 0:
                rows = [(work.fresh, work.before.state)]
                self._batcher(stream.model).submit(rows, partial(self._end, stream, work, then))
        except Exception:  # `advance` raises it again
            begun = False
        if not begun:
            stream.lock.release()
        return begun

    def _end(
        self,
        stream: Stream,
        work: Advance,
        then: Callable[[Told], None],
        outcomes: list[Outcome],
    ) -> None:
        told: Told
        try:
            self.streams.commit(stream, work.moved(*_result(outcomes[0])))
            told = work.answer(stream.checkpoint, stream.durable)
        except ServiceError as error:  # it would keep the frames that it came through, and they it
            told = error.with_traceback(None)
        except Exception as error:
            told = error
        stream.lock.release()
        then(told)

    async def _explain(self, model: Model, steps: Floats, before: Checkpoint) -> Floats:
        if model.attention is None:
            raise BadMessage(f"{model.manifest.name} has no attention to show; ask without explain")
        return await self._threads.run(partial(model.attention.run, steps, before.state))

    async def warm_up(self) -> None:
        """Run every model once, so that the first client does not wait for it."""
        for model in self.models.loaded().values():
            await self._warm(model)
        self.ready = True

    async def _warm(self, model: Model) -> None:
        contract = model.manifest.contract
        steps = np.zeros((2, len(contract.channels)), dtype=contract.input_dtype)
        await self.classify(model, [steps] * 2)

    async def drain(self, within: float) -> None:
        """Take no new work, store every stream, and close the connections, each after its own.

        Each of the two takes `within` seconds at most.
        """
        self.ready, self.draining = False, True
        await self.streams.connections.close(Draining(), within)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self.streams.checkpoints.write_all(self.streams)

    def close(self) -> None:
        """Stop the threads of the runs."""
        self._threads.close()

    def _batcher(self, model: Model) -> Batcher:
        if (known := self._batchers.get(id(model))) is not None:
            return known[1]
        batchers, number = self._batchers, id(model)
        batcher = self._new_batcher(model, telemetry=RunTelemetry(self._metrics, *key(model)))
        batchers[number] = ref(model, lambda _: batchers.pop(number)), batcher
        return batcher

    def batchers(self) -> list[tuple[Model, Batcher]]:
        """Of the versions in memory that something has run on."""
        each = [(of(), batcher) for of, batcher in list(self._batchers.values())]
        return [(model, batcher) for model, batcher in each if model is not None]

    def _admit(self) -> None:
        if self.draining:
            raise Draining()

    async def _in_time(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._timeout):
                return await work
        except TimeoutError:
            raise late(self._timeout) from None


def last_logits(outcomes: list[Outcome]) -> list[Floats]:
    """Logits [classes] of the last step of each sequence. Raises what came of one instead."""
    return [logits[-1] for logits in _logits(outcomes)]


def _logits(outcomes: list[Outcome]) -> list[Floats]:
    for index, outcome in enumerate(outcomes):
        if isinstance(outcome, BadValue):
            raise BadValue(f"sequences[{index}]: {outcome.detail}")
    return [_result(outcome)[0] for outcome in outcomes]


def _result(outcome: Outcome) -> Result:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
