"""The laws of a stream: however it is cut, retried, resumed or batched, every step counts once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from larnn_service.backend.model_repository import Repository
from larnn_service.chunk import Chunk
from larnn_service.engine.engine import Engine
from larnn_service.engine.models.registry import Models, at_start
from larnn_service.engine.store.memory import MemoryStore
from larnn_service.engine.streams.places import Places
from larnn_service.engine.streams.registry import Streams
from larnn_service.errors import Gap
from larnn_service.settings import Settings
from larnn_service.stream_ids import StreamIds
from tests.awaited import advance

T = TypeVar("T")
STEPS = 60
SIGNAL = np.random.default_rng(0).integers(-4, 5, size=(STEPS, 2)).astype(np.float32)
TRUTH = np.concatenate([SIGNAL.cumsum(0), np.arange(1, STEPS + 1)[:, None]], axis=1)
"""The toy's logits at every step; small whole numbers, so that sums are exact in float32."""

cuts = st.lists(st.integers(1, STEPS - 1), max_size=12, unique=True).map(sorted)


@pytest.fixture(scope="module")
def models(toy_models: Path) -> Models:
    return at_start(Repository(toy_models, "cpu"), "toy", keep=1)


def in_engine(models: Models, work: Callable[[Engine], Awaitable[T]]) -> T:
    """Run `work` on a fresh engine, in a loop of its own."""

    async def run() -> T:
        streams = Streams(MemoryStore(), StreamIds("s"), models, Places(100), idle_timeout=1e6)
        engine = Engine(models, streams, Settings(model="toy", max_run_steps=16))
        try:
            return await work(engine)
        finally:
            engine.close()

    return asyncio.run(run())


def chunks(cut: list[int]) -> list[Chunk]:
    edges = [0, *cut, STEPS]
    return [Chunk(a, SIGNAL[a:b]) for a, b in zip(edges[:-1], edges[1:], strict=True)]


@settings(max_examples=40)
@given(cut=cuts)
def test_any_cut_gives_the_logits_of_one_run(models: Models, cut: list[int]) -> None:
    async def work(engine: Engine) -> NDArray[np.float32]:
        stream = await engine.open(engine.model(None))
        answers = [await advance(engine, stream, chunk) for chunk in chunks(cut)]
        assert stream.checkpoint.state["total"].tolist() == SIGNAL.sum(0).tolist()
        assert [a.position for a in answers] == [*cut, STEPS]
        return np.concatenate([answer.outputs for answer in answers])

    assert (in_engine(models, work) == TRUTH).all()


@settings(max_examples=40)
@given(moves=st.lists(st.tuples(st.integers(0, STEPS - 1), st.integers(1, 20)), max_size=25))
def test_retries_overlaps_and_gaps_count_every_step_once(
    models: Models, moves: list[tuple[int, int]]
) -> None:
    """A client that sends any piece at any time, and keeps all answers unacknowledged."""

    async def work(engine: Engine) -> None:
        stream = await engine.open(engine.model(None))
        for start, length in [*moves, (0, STEPS)]:
            end, position = min(start + length, STEPS), stream.checkpoint.position
            chunk = Chunk(start, SIGNAL[start:end], acked=0)
            if start > position:
                with pytest.raises(Gap) as gap:
                    await advance(engine, stream, chunk)
                assert gap.value.extra["expected_offset"] == position
            else:
                answer = await advance(engine, stream, chunk)
                assert (answer.outputs == TRUTH[start:end]).all()
                assert stream.checkpoint.position == max(position, end)

    in_engine(models, work)


@settings(max_examples=20)
@given(cut_by_stream=st.lists(cuts, min_size=2, max_size=8))
def test_streams_advanced_together_equal_streams_advanced_alone(
    models: Models, cut_by_stream: list[list[int]]
) -> None:
    async def one(engine: Engine, cut: list[int], scale: int) -> None:
        stream = await engine.open(engine.model(None))
        for chunk in chunks(cut):
            answer = await advance(engine, stream, Chunk(chunk.offset, chunk.steps * scale))
            expected = TRUTH[chunk.offset : chunk.end] * [scale, scale, 1]
            assert (answer.outputs == expected).all()

    async def work(engine: Engine) -> None:
        await asyncio.gather(
            *(one(engine, cut, scale) for scale, cut in enumerate(cut_by_stream, start=1))
        )

    in_engine(models, work)


@settings(max_examples=20)
@given(data=st.data())
def test_a_client_that_goes_away_mid_run_changes_nothing_or_all(
    models: Models, data: st.DataObject
) -> None:
    async def work(engine: Engine) -> None:
        stream = await engine.open(engine.model(None))
        for chunk in chunks(data.draw(cuts)):
            attempt = asyncio.ensure_future(advance(engine, stream, chunk))
            for _ in range(data.draw(st.integers(0, 6), label="turns of the loop")):
                await asyncio.sleep(0)
            attempt.cancel()
            await asyncio.wait({attempt})
            assert stream.checkpoint.position in (chunk.offset, chunk.end)
            answer = await advance(engine, stream, chunk)
            assert (answer.outputs == TRUTH[chunk.offset : chunk.end]).all()

    in_engine(models, work)
