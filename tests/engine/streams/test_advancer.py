"""The way of a chunk: whatever happens, it is answered exactly once and the stream is let go."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from larnn_service.engine.engine import Engine
from larnn_service.engine.store.memory import MemoryStore
from larnn_service.engine.streams.chunk import Advanced, Chunk
from larnn_service.engine.streams.registry import Streams
from larnn_service.engine.streams.stream import Stream
from larnn_service.errors import (
    Backpressure,
    BadMessage,
    BadValue,
    Draining,
    Expired,
    Full,
    Gap,
    Internal,
    Moved,
    Unavailable,
)
from larnn_service.interfaces import Model
from larnn_service.settings import Settings
from larnn_service.stream_ids import StreamIds
from tests.engine.bench import FAILS, MANIFEST, Sums
from tests.engine.replicas import FarStore
from tests.served import served

WEIGHTS = np.full((1, 1, 2), 0.5, dtype=np.float32)
MOST_UNACKED = 8


class Looks:
    """Attention that notes what it is asked, waits where it is told and fails where it is told."""

    def __init__(self, backend: Sums) -> None:
        self.asked: list[int] = []
        self.error: Exception | None = None
        self._backend = backend

    def run(self, steps: Any, state: Any) -> Any:
        self._backend.gate.wait(10)
        self.asked.append(len(steps))
        if self.error is not None:
            raise self.error
        return WEIGHTS


class Replica:
    """An engine with one thread over Sums, and a stream."""

    def __init__(self, store: MemoryStore, timeout: float = math.inf) -> None:
        self.backend = Sums()
        self.attention = Looks(self.backend)
        self.model = Model(MANIFEST, self.backend, self.attention)
        plain = Model(MANIFEST.model_copy(update={"name": "plain"}), Sums())
        models = served(self.model, plain)
        self.streams = Streams(
            store,
            StreamIds("secret"),
            models,
            max_streams=10,
            idle_timeout=-1,
            checkpoint_steps=1_000,
            checkpoint_interval=1e6,
        )
        settings = Settings(concurrency=1, max_unacked_steps=MOST_UNACKED)
        settings = settings.model_copy(update={"request_timeout": timeout})
        self.engine = Engine(models, self.streams, settings)

    async def open(self, model: str = "toy") -> Stream:
        return await self.engine.open(self.engine.model(model))


class Reply:
    """What comes of a chunk; a second answer is an error."""

    def __init__(self, replica: Replica, stream: Stream, chunk: Chunk, **how: Any) -> None:
        self.all: list[Advanced | Exception] = []
        self._came = asyncio.Event()
        replica.engine.advance(stream, chunk, self._answer, **how)

    def _answer(self, told: Advanced | Exception) -> None:
        self.all.append(told)
        self._came.set()

    async def error(self) -> Exception:
        await self._came.wait()
        [told] = self.all
        assert isinstance(told, Exception), told
        return told

    async def result(self) -> Advanced:
        await self._came.wait()
        [told] = self.all
        assert isinstance(told, Advanced), told
        return told


def ones(offset: int, count: int = 2, acked: int | None = None, value: float = 1) -> Chunk:
    return Chunk(offset, np.full((count, 2), value, dtype=np.float32), acked)


def stands_free_at(stream: Stream, position: int) -> None:
    """Nobody holds the stream, and it is there."""
    assert not stream.lock.locked()
    assert stream.checkpoint.position == position


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., Replica]]:
    replicas: list[Replica] = []

    def replica(store: MemoryStore | None = None, timeout: float = math.inf) -> Replica:
        replicas.append(Replica(store or MemoryStore(), timeout))
        return replicas[-1]

    yield replica
    for one in replicas:
        one.backend.gate.set()
        one.engine.close()


@pytest.fixture
def replica(make: Callable[..., Replica]) -> Replica:
    return make()


@pytest.fixture
def far(make: Callable[..., Replica], store: FarStore) -> Replica:
    """A replica over a store that others share."""
    return make(store)


async def test_a_chunk_is_run_and_answered_for_all_of_its_steps(replica: Replica) -> None:
    stream = await replica.open()
    first = await Reply(replica, stream, ones(0)).result()
    assert (first.position, first.logits[:, 2].tolist()) == (2, [1, 2])
    overlapping = await Reply(replica, stream, ones(1, 3, acked=0)).result()
    assert (overlapping.position, overlapping.logits[:, 2].tolist()) == (4, [2, 3, 4])
    assert replica.backend.runs == [[2], [2]]
    stands_free_at(stream, 4)


async def test_a_chunk_that_was_answered_is_answered_again_without_a_run(replica: Replica) -> None:
    stream = await replica.open()
    await Reply(replica, stream, ones(0)).result()
    again = Reply(replica, stream, ones(0))
    assert len(again.all) == 1  # at once
    assert (await again.result()).logits[:, 2].tolist() == [1, 2]
    assert replica.backend.runs == [[2]]


@pytest.mark.parametrize(
    ("chunk", "error"),
    [
        (ones(3), Gap),
        (ones(2, acked=3), BadValue),
        (ones(0, acked=0, count=MOST_UNACKED + 1), Backpressure),
        (ones(2, value=3e38), BadValue),
        (ones(2, value=FAILS), Internal),
    ],
    ids=["gap", "acked ahead", "too much unacknowledged", "not finite", "the run fails"],
)
@pytest.mark.parametrize("settled", [False, True])
async def test_after_an_error_the_stream_stands_where_it_stood(
    replica: Replica, chunk: Chunk, error: type[Exception], settled: bool
) -> None:
    stream = await replica.open()
    await Reply(replica, stream, ones(0)).result()
    assert type(await Reply(replica, stream, chunk, settled=settled).error()) is error
    stands_free_at(stream, 2)
    assert (await Reply(replica, stream, ones(2)).result()).position == 4


async def test_an_error_holds_no_frames(replica: Replica) -> None:
    """They would hold the stream, and a lost stream its error."""
    stream = await replica.open()
    error = await Reply(replica, stream, ones(1)).error()
    assert error.__traceback__ is None


async def test_chunks_of_one_stream_run_in_the_order_in_which_they_came(replica: Replica) -> None:
    stream = await replica.open()
    replica.backend.gate.clear()
    replies = [Reply(replica, stream, ones(offset)) for offset in (0, 2, 4, 6)]
    await asyncio.sleep(0)
    assert not any(reply.all for reply in replies)
    replica.backend.gate.set()
    assert [(await reply.result()).position for reply in replies] == [2, 4, 6, 8]
    stands_free_at(stream, 8)


async def test_none_passes_one_that_has_more_to_wait_for(replica: Replica) -> None:
    stream = await replica.open()
    first, second = Reply(replica, stream, ones(0), explain=True), Reply(replica, stream, ones(2))
    assert (await second.result()).position == 4
    assert [(await first.result()).position, len(second.all)] == [2, 1]


async def test_an_error_of_one_lets_the_next_one_in(replica: Replica) -> None:
    stream = await replica.open()
    replica.backend.gate.clear()
    first, second, third = (Reply(replica, stream, ones(0, value=v)) for v in (FAILS, 1, 1))
    replica.backend.gate.set()
    assert type(await first.error()) is Internal
    assert (await second.result()).position == (await third.result()).position == 2
    stands_free_at(stream, 2)


async def test_who_cannot_take_its_answer_holds_up_nobody(
    replica: Replica, caplog: pytest.LogCaptureFixture
) -> None:
    stream, calls = await replica.open(), 0

    def broken(told: Advanced | Exception) -> None:
        nonlocal calls
        calls += 1
        raise ZeroDivisionError

    for chunk in (ones(0), ones(0), ones(9)):  # with a run, without one, and with an error
        replica.engine.advance(stream, chunk, broken)
        await Reply(replica, stream, ones(0)).result()
    assert calls == 3
    assert caplog.text.count("an answer could not be given") == 3
    stands_free_at(stream, 2)


async def test_different_streams_share_a_run(replica: Replica) -> None:
    streams = [await replica.open() for _ in range(3)]
    for reply in [Reply(replica, stream, ones(0)) for stream in streams]:
        await reply.result()
    assert replica.backend.runs == [[2, 2, 2]]


async def test_a_lost_stream_goes_on_nowhere(replica: Replica) -> None:
    stream = await replica.open()
    await replica.streams.remove(stream.id)
    for how in ({}, {"settled": True}, {"explain": True}, {"ends": True}):
        assert type(await Reply(replica, stream, ones(0), **how).error()) is Expired
    assert replica.backend.runs == []
    stands_free_at(stream, 0)


async def test_a_stream_that_is_lost_while_its_chunk_runs_does_not_move(replica: Replica) -> None:
    stream = await replica.open()
    replica.backend.gate.clear()
    in_work, waiting = Reply(replica, stream, ones(0)), Reply(replica, stream, ones(2))
    await replica.streams.remove(stream.id)
    replica.backend.gate.set()
    assert [type(await reply.error()) for reply in (in_work, waiting)] == [Expired, Expired]
    stands_free_at(stream, 0)


async def test_a_settled_answer_comes_when_the_store_has_all_of_it(
    far: Replica, store: FarStore
) -> None:
    stream = await far.open()
    quick = await Reply(far, stream, ones(0)).result()
    assert (quick.durable, stream.dirty, store.saved.empty()) == (0, True, True)
    settled = await Reply(far, stream, ones(2), settled=True).result()
    assert (settled.durable, stream.dirty, await store.saved.get()) == (4, False, 4)
    again = await Reply(far, stream, ones(2), settled=True).result()
    assert again.durable == 4 and store.saved.empty()
    stands_free_at(stream, 4)


async def test_where_the_store_is_away_a_settled_chunk_counts_and_can_be_sent_again(
    far: Replica, store: FarStore
) -> None:
    stream = await far.open()
    store.away = True
    for _ in range(2):
        assert type(await Reply(far, stream, ones(0), settled=True).error()) is Unavailable
        stands_free_at(stream, 2)
    assert (await Reply(far, stream, ones(0)).result()).durable == 0
    store.away = False
    assert (await Reply(far, stream, ones(0), settled=True).result()).durable == 2
    assert far.backend.runs == [[2]]


async def test_a_stream_of_another_replica_has_moved(
    far: Replica, make: Callable[..., Replica], store: FarStore
) -> None:
    stream, other = await far.open(), make(store)
    taken = await other.engine.resume(stream.id)
    await Reply(other, taken, ones(0), settled=True).result()
    assert type(await Reply(far, stream, ones(0), settled=True).error()) is Moved
    assert type(await Reply(far, stream, ones(0)).error()) is Moved
    assert not stream.lock.locked()
    stands_free_at(taken, 2)


async def test_a_resting_stream_wakes(far: Replica, store: FarStore) -> None:
    stream = await far.open()
    await Reply(far, stream, ones(0), settled=True).result()
    rest(stream)
    replies = [Reply(far, stream, ones(2)), Reply(far, stream, ones(4))]
    assert [(await reply.result()).position for reply in replies] == [4, 6]
    assert not stream.resting
    stands_free_at(stream, 6)


async def test_a_stream_that_cannot_wake_is_answered_for_and_let_go(
    far: Replica, store: FarStore
) -> None:
    stream = await far.open()
    rest(stream)
    await store.delete(stream.id)
    replies = [Reply(far, stream, ones(0)), Reply(far, stream, ones(0), explain=True)]
    assert [type(await reply.error()) for reply in replies] == [Expired, Expired]
    assert not stream.lock.locked()


def rest(stream: Stream) -> None:
    """As one that nobody has driven for a while."""
    light = replace(stream.checkpoint, logits=stream.checkpoint.logits[:0], state={})
    stream.checkpoint, stream.resting = light, True


async def test_the_attention_of_fresh_steps_is_told(replica: Replica) -> None:
    stream = await replica.open()
    await Reply(replica, stream, ones(0)).result()
    explained = await Reply(replica, stream, ones(1, 3, acked=0), explain=True).result()
    assert explained.attention is WEIGHTS and explained.position == 4
    again = await Reply(replica, stream, ones(1, 3, acked=0), explain=True).result()
    assert again.attention is None and again.position == 4
    assert replica.attention.asked == [2]
    stands_free_at(stream, 4)


async def test_what_cannot_be_explained_is_not_run(replica: Replica) -> None:
    stream, plain = await replica.open(), await replica.open("plain")
    assert type(await Reply(replica, plain, ones(0), explain=True).error()) is BadMessage
    assert type(await Reply(replica, stream, ones(1), explain=True).error()) is Gap
    replica.attention.error = ZeroDivisionError()
    error = await Reply(replica, stream, ones(0), explain=True).error()
    assert type(error) is ZeroDivisionError
    assert replica.backend.runs == []
    for each in (stream, plain):
        stands_free_at(each, 0)


@pytest.mark.parametrize("explain", [False, True])
async def test_what_is_late_is_told_and_does_not_count(
    make: Callable[..., Replica], explain: bool
) -> None:
    replica = make(timeout=0.01)
    stream = await replica.open()
    replica.backend.gate.clear()
    reply = Reply(replica, stream, ones(0), explain=explain)
    assert type(await reply.error()) is Full
    stands_free_at(stream, 0)
    replica.backend.gate.set()
    replica.engine.close()  # its run has ended
    await asyncio.sleep(0)
    assert len(reply.all) == 1
    stands_free_at(stream, 0)


async def test_the_last_chunk_ends_the_stream_and_is_answered_again(replica: Replica) -> None:
    stream = await replica.open()
    await Reply(replica, stream, ones(0)).result()
    for _ in range(2):
        ended = await Reply(replica, stream, ones(2), ends=True).result()
        assert (ended.position, ended.logits[:, 2].tolist()) == (4, [3, 4])
    assert stream.checkpoint.ended and not stream.checkpoint.state
    assert type(await Reply(replica, stream, ones(4)).error()) is Expired
    assert replica.backend.runs == [[2], [2]]


async def test_a_drain_takes_no_more_and_finishes_what_it_has(replica: Replica) -> None:
    stream = await replica.open()
    replica.backend.gate.clear()
    before = [Reply(replica, stream, ones(0)), Reply(replica, stream, ones(2))]
    await replica.engine.drain(within=0)
    late = Reply(replica, stream, ones(4))
    assert [type(told) for told in late.all] == [Draining]
    replica.backend.gate.set()
    assert [(await reply.result()).position for reply in before] == [2, 4]
    stands_free_at(stream, 4)
