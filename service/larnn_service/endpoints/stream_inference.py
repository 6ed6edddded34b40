"""A chunk's way to the engine and back, the same for the websocket and plain HTTP."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from msgspec import UNSET

from larnn_service.engine.engine import Engine
from larnn_service.engine.streams.chunk import Advanced, Chunk
from larnn_service.engine.streams.stream import Stream
from larnn_service.interfaces import Floats
from larnn_service.telemetry.calls import CALL
from larnn_service.telemetry.metrics import Observed
from larnn_service.wire.predictions import answer, answers
from larnn_service.wire.stream_schemas import Emit, OpenedMessage, PredictionMessage, StepsBody


@dataclass(frozen=True)
class Wish:
    """What a client wants to read: logits too, and of which steps."""

    logits: bool = False
    emit: Emit = "last"
    explain: bool = False

    def but(self, message: StepsBody) -> Wish:
        """This wish, changed by what one message says."""
        if message.logits is None and message.emit is None and message.explain is None:
            return self
        return Wish(
            self.logits if message.logits is None else message.logits,
            self.emit if message.emit is None else message.emit,
            self.explain if message.explain is None else message.explain,
        )


async def predict(
    engine: Engine, stream: Stream, chunk: Chunk, wish: Wish, settled: bool = False
) -> PredictionMessage:
    """Advance the stream by the chunk and say what came of it, `settled`: when it is stored."""
    start = time.perf_counter()
    advanced = await engine.advance(stream, chunk, settled, wish.explain)
    if (observed := chunks_observed()) is not None:
        observed.observe(time.perf_counter() - start)
    return prediction(stream, advanced, wish)


def chunks_observed() -> Observed | None:
    """Where the seconds go that a chunk took, from when it was decoded to its answer."""
    if (call := CALL.get()) is None:
        return None
    return call.metrics.observer(call.metrics.chunks, call.door, call.model)


def prediction(stream: Stream, advanced: Advanced, wish: Wish) -> PredictionMessage:
    """What came of a chunk."""
    labels = stream.model.manifest.contract.labels
    last = answer(advanced.logits[-1].tolist(), labels, wish.logits)
    return PredictionMessage(
        label=last.label,
        probabilities=last.probabilities,
        logits=last.logits,
        position=advanced.position,
        durable=advanced.durable,
        predictions=UNSET
        if wish.emit == "last"
        else answers(_emitted(advanced, wish.emit), labels, wish.logits),
        attention=UNSET if advanced.attention is None else _rounded(advanced.attention),
    )


def _rounded(attention: Floats) -> list[list[list[float]]]:
    """As many digits as anyone can see: a weight is a number from 0 to 1."""
    rounded: list[list[list[float]]] = attention.astype(np.float64).round(5).tolist()
    return rounded


def _emitted(advanced: Advanced, emit: Emit) -> Floats:
    """The logits of the steps whose position is a multiple of what was asked for."""
    every = emit if isinstance(emit, int) else 1
    first = advanced.position - len(advanced.logits) + 1
    return advanced.logits[-first % every :: every]


def opened(engine: Engine, stream: Stream) -> OpenedMessage:
    """The stream as its client sees it."""
    contract = stream.model.manifest.contract
    return OpenedMessage(
        stream=stream.id,
        model=stream.checkpoint.model,
        version=stream.checkpoint.version,
        position=stream.checkpoint.position,
        durable=stream.durable,
        survives=engine.streams.store.survives,
        channels=[channel.name for channel in contract.channels],
        labels=list(contract.labels),
    )
