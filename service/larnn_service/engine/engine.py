"""The engine: sequences by `classify`, chunks by `advance`. Each answers exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Sequence
from functools import partial
from weakref import ref

from larnn_service.chunk import Chunk
from larnn_service.conversion.conversion import AS_THE_MODEL, Conversion
from larnn_service.engine.batching.batcher import Batcher
from larnn_service.engine.batching.executor import Executor
from larnn_service.engine.batching.queue_entries import Outcome, result_of_row
from larnn_service.engine.models.lifecycle import ModelControl
from larnn_service.engine.models.registry import Models
from larnn_service.engine.streams import snapshot
from larnn_service.engine.streams.advancer import Advancer, Answer
from larnn_service.engine.streams.checkpoint import beginning
from larnn_service.engine.streams.fair_queue import Pacer
from larnn_service.engine.streams.registry import Streams
from larnn_service.engine.streams.stream import Stream
from larnn_service.errors import BadValue, Draining
from larnn_service.interfaces import Floats, Model, RowState, Steps
from larnn_service.settings import Settings
from larnn_service.telemetry.runs import RunTelemetry

Outputs = list[Floats]
"""[columns] of each sequence's last step, or [steps, columns] of each sequence."""


class Engine:
    """Models, their batchers and the open streams of one replica."""

    def __init__(
        self,
        models: Models,
        streams: Streams,
        settings: Settings,
        max_waiting_of_owner: int | None = None,
    ) -> None:
        """`max_waiting_of_owner`: steps that wait or run, where there are several owners."""
        self.models = models
        self.streams = streams
        self.control = ModelControl(models, streams)
        self.draining = False
        self.leaving = False
        """It drains soon, and goes on until then: whoever asks whether it is ready is told no."""
        self._started = False
        self.alone: Callable[[], bool] = lambda: False
        """Whether there is but one client. For whoever knows its connections to say."""
        self.pacer = Pacer(settings.max_ahead)
        self._capture = streams.capture
        self._executor = Executor(settings.concurrency)
        self._batchers: dict[int, tuple[ref[Model], Batcher]] = {}
        """By the identity of each version that runs: it goes with its model."""
        self._metrics = streams.metrics
        self._new_batcher = partial(
            Batcher,
            executor=self._executor,
            concurrency=settings.concurrency,
            max_batch_size=settings.max_batch_size,
            max_run_steps=settings.max_run_steps,
            max_run_row_steps=settings.max_run_row_steps,
            max_waiting_steps=settings.max_waiting_steps,
            max_waiting_of_owner=max_waiting_of_owner,
            within=settings.request_timeout,
            alone=lambda: self.alone(),
        )
        self._advancer = Advancer(
            streams,
            self._batcher,
            self._executor,
            max_unacked_steps=settings.max_unacked_steps,
            timeout=settings.request_timeout,
        )

    @property
    def ready(self) -> bool:
        """Whether it is warm, does not drain, and its store was well when last seen."""
        going_on = not (self.draining or self.leaving)
        return self._started and going_on and not self.streams.store.health.reason

    def model(self, name: str | None, version: int | None = None) -> Model:
        """The named model, or the default one; the version that answers, or the named one.

        Raises UnknownModel.
        """
        return self.models.wanted(name, version)

    def classify(
        self,
        model: Model,
        sequences: Sequence[Steps],
        answer: Callable[[Outputs | Exception], None],
        every_step: bool = False,
        starts: Sequence[RowState] | None = None,
        owner: str = "",
    ) -> Callable[[], None]:
        """Run whole sequences [steps, channels] of this owner, each of its own length.

        A sequence is a stream that starts from the initial state, or from its own of `starts`,
        and ends. `answer` gets the
        outputs [columns] of each sequence's last step, with `every_step` those [steps, columns] of
        all of them, or the error: BadValue, Full, Internal. Returns a function that abandons the
        work, after which there is no answer. Raises Full and Draining where nothing has begun.
        """
        self._check_draining()
        batcher = self._batcher(model)

        def then(outcomes: list[Outcome]) -> None:
            told: Outputs | Exception
            try:
                told = _outputs(outcomes)
                if not every_step:
                    told = [outputs[-1] for outputs in told]
            except Exception as error:
                told = error.with_traceback(None)  # its frames hold what it came through
            answer(told)

        each: Sequence[RowState | None] = starts or [None] * len(sequences)
        rows = zip(sequences, each, strict=True)
        submission = batcher.submit(list(rows), then, not every_step, owner)
        return partial(batcher.drop, submission)

    def advance(
        self,
        stream: Stream,
        chunk: Chunk,
        answer: Answer,
        *,
        settled: bool = False,
        explain: bool = False,
        ends: bool = False,
    ) -> None:
        """Consume the steps that the stream has not seen, and answer for all of the chunk.

        `settled`: answer only when the store has all of it. `explain`: say where the last step
        looked, which runs the fresh steps once more. `ends`: nothing follows; a stream that ended
        so answers for this chunk again.

        `answer` gets an Advanced, or the error: Gap where steps are missing before the chunk,
        BadValue where it contradicts what was acknowledged, Backpressure where too much is
        unacknowledged, Expired after the end, Moved where another replica owns the stream,
        Unavailable where the store does not answer, Draining, Full, Internal.
        """
        if self.draining:
            return answer(Draining())
        self._advancer.begin(stream, chunk, answer, settled=settled, explain=explain, ends=ends)

    async def open(
        self,
        model: Model,
        idempotency_key: str | None = None,
        owner: str = "",
        state: RowState | None = None,
        conversion: Conversion | None = None,
    ) -> Stream:
        """A new stream of this owner; `state` where its client gave context, `conversion` where it
        sends other numbers than the model takes. Raises Full, Draining, Unavailable."""
        self._check_draining()
        measured = AS_THE_MODEL if conversion is None else conversion.measured
        begin = partial(beginning, model, state=state, measured=measured)
        return await self.streams.open(model, idempotency_key, begin, owner)

    async def resume(self, stream_id: str, owner: str = "") -> Stream:
        """The stream of that id, this replica's from now on.

        Raises UnknownStream, Expired, Draining, Full, Unavailable.
        """
        self._check_draining()
        return await self.streams.resume(stream_id, owner)

    async def fork(
        self, stream_id: str, idempotency_key: str | None = None, owner: str = ""
    ) -> Stream:
        """A new stream that stands where this one does. Raises as `open` and `resume`."""
        self._check_draining()
        return await snapshot.fork(self.streams, stream_id, idempotency_key, owner)

    async def erase(self, stream_id: str) -> None:
        """Erase every copy of the stream, and what was captured of it; that also where the stream
        is gone already. Raises UnknownStream, Expired, Unavailable."""
        try:
            await self.streams.remove(stream_id)
        finally:
            if self._capture is not None and self.streams.ids.is_ours(stream_id):
                await self._capture.forget(stream_id)

    def start(self) -> None:
        """All models are loaded: it is ready, unless the store is not."""
        self._started = True
        if self._capture is not None:
            self._capture.start()

    async def drain(self, within: float) -> None:
        """Take no new work, store every stream, and close the connections, each after its own.

        Each of these takes `within` seconds at most; what was captured is written meanwhile, and
        what comes of it in the end. Drained again, it does nothing.
        """
        if self.draining:
            return
        self.draining = True
        if self._capture is not None:
            self._capture.begin_drain()
        await self.streams.connections.close(Draining(), within)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self.streams.checkpoints.write_all(self.streams)
        if self._capture is not None:
            await self._capture.drain(within)

    def close(self, within: float = math.inf) -> None:
        """Stop the threads of the runs, and wait for them so many seconds at most."""
        self._executor.close(within)
        if self._capture is not None:
            self._capture.close()

    def _batcher(self, model: Model) -> Batcher:
        if (known := self._batchers.get(id(model))) is not None:
            return known[1]
        batchers, number = self._batchers, id(model)
        batcher = self._new_batcher(model, telemetry=RunTelemetry(self._metrics, model.manifest))
        batchers[number] = ref(model, lambda _: batchers.pop(number)), batcher
        return batcher

    def batchers(self) -> list[tuple[Model, Batcher]]:
        """Of the versions in memory that something has run on."""
        each = [(of(), batcher) for of, batcher in list(self._batchers.values())]
        return [(model, batcher) for model, batcher in each if model is not None]

    def _check_draining(self) -> None:
        if self.draining:
            raise Draining()


def _outputs(outcomes: list[Outcome]) -> Outputs:
    for index, outcome in enumerate(outcomes):
        if isinstance(outcome, BadValue):
            raise BadValue(f"sequences[{index}]: {outcome.detail}")
    return [result_of_row(outcome)[0] for outcome in outcomes]
