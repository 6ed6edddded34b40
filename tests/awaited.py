"""Work that answers by a callback, awaited."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from larnn_service.chunk import Chunk
from larnn_service.engine.batching.batcher import Batcher
from larnn_service.engine.batching.queue_entries import Outcome, Then
from larnn_service.engine.engine import Engine, Outputs
from larnn_service.engine.streams.advance import Advanced
from larnn_service.engine.streams.stream import Stream
from larnn_service.interfaces import Model, RowState, Steps
from larnn_service.tasks import outcome_of, result_of


async def advance(engine: Engine, stream: Stream, chunk: Chunk, settled: bool = False) -> Advanced:
    """Return what comes of the chunk; raise its error."""
    return await result_of(partial(engine.advance, stream, chunk, settled=settled))


async def classify(engine: Engine, model: Model, sequences: Sequence[Steps]) -> Outputs:
    """Return the logits of each sequence's last step; raise the error."""
    return await result_of(partial(engine.classify, model, sequences))


async def outcomes(
    batcher: Batcher, rows: Sequence[tuple[Steps, RowState | None]], ends: bool = False
) -> list[Outcome]:
    """Return what comes of each row; who stops waiting drops them."""

    def begin(answer: Then) -> Callable[[], None]:
        return partial(batcher.drop, batcher.submit(rows, answer, ends))

    return await outcome_of(begin)
