"""The way of a chunk: whatever happens, it is answered exactly once and the stream is let go."""

from __future__ import annotations

import asyncio

import pytest

from larnn_service.chunk import Chunk
from larnn_service.engine.streams.advance import Advanced
from larnn_service.errors import (
    Backpressure,
    BadValue,
    Expired,
    Gap,
    Internal,
)
from tests.engine.bench import FAILS
from tests.engine.streams.advancer.replica import (
    MOST_UNACKED,
    Replica,
    Reply,
    ones,
    stands_free_at,
)


async def test_a_chunk_is_run_and_answered_for_all_of_its_steps(replica: Replica) -> None:
    stream = await replica.open()
    first = await Reply(replica, stream, ones(0)).result()
    assert (first.position, first.outputs[:, 2].tolist()) == (2, [1, 2])
    overlapping = await Reply(replica, stream, ones(1, 3, acked=0)).result()
    assert (overlapping.position, overlapping.outputs[:, 2].tolist()) == (4, [2, 3, 4])
    assert replica.backend.runs == [[2], [2]]
    stands_free_at(stream, 4)


async def test_a_chunk_that_was_answered_is_answered_again_without_a_run(replica: Replica) -> None:
    stream = await replica.open()
    await Reply(replica, stream, ones(0)).result()
    again = Reply(replica, stream, ones(0))
    assert len(again.all) == 1  # at once
    assert (await again.result()).outputs[:, 2].tolist() == [1, 2]
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
