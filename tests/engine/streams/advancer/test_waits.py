"""Chunks that wait for more than a run: the store, the attention, a state that rests, the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from larnn_service.engine.streams.stream import Stream
from larnn_service.errors import (
    BadMessage,
    Draining,
    Expired,
    Full,
    Gap,
    Moved,
    Unavailable,
)
from tests.engine.replicas import FarStore
from tests.engine.streams.advancer.replica import (
    WEIGHTS,
    Replica,
    Reply,
    ones,
    stands_free_at,
)


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
    light = replace(stream.checkpoint, outputs=stream.checkpoint.outputs[:0], state={})
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
        assert (ended.position, ended.outputs[:, 2].tolist()) == (4, [3, 4])
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
