"""Streams that nobody drives rest in the store, and wake where they are wanted."""

from __future__ import annotations

import pytest

from larnn_service.engine.streams.registry import Streams
from larnn_service.engine.streams.stream import Stream
from larnn_service.errors import Full, Moved
from tests.engine.replicas import IDLE, MODEL, Clock, FarStore, Listener, move, replica


async def at_rest(store: FarStore, clock: Clock) -> tuple[Streams, Stream, Listener]:
    """A stream that nobody drives, and the connection that holds it."""
    streams = replica(store, clock)
    stream = await streams.open(MODEL)
    listener = Listener()
    streams.attach(stream, listener)
    clock.now = IDLE + 1
    await streams.rest_idle()
    return streams, stream, listener


async def test_an_idle_stream_rests_and_wakes_on_its_connection(
    store: FarStore, clock: Clock
) -> None:
    streams = replica(store, clock)
    stream, alone = await streams.open(MODEL), await streams.open(MODEL)
    listener = Listener()
    streams.attach(stream, listener)
    await move(streams, stream, 3)
    clock.now = IDLE + 1
    await streams.rest_idle()
    assert list(streams) == [stream]
    assert stream.resting and not stream.checkpoint.state and not listener.reasons
    await move(streams, stream, 4)
    assert not stream.resting and stream.checkpoint.state
    assert (await streams.resume(alone.id)).checkpoint.position == 0


async def test_a_resting_stream_leaves_with_its_connection(store: FarStore, clock: Clock) -> None:
    streams, stream, listener = await at_rest(store, clock)
    assert list(streams) == [stream]
    streams.detach(stream, listener)
    assert not list(streams)


async def test_a_stream_that_another_took_while_it_rested_has_moved(
    store: FarStore, clock: Clock
) -> None:
    streams, stream, listener = await at_rest(store, clock)
    await replica(store, clock).resume(stream.id)
    with pytest.raises(Moved):
        await move(streams, stream, 1)
    assert [type(reason) for reason in listener.reasons] == [Moved]


async def test_an_old_connection_that_goes_leaves_the_stream_to_the_new_one(
    store: FarStore, clock: Clock
) -> None:
    """It rested here, was another replica's for a while, and came back."""
    streams = replica(store, clock)
    stream = await streams.open(MODEL)
    older, newer = Listener(), Listener()
    streams.attach(stream, older)
    clock.now = IDLE + 1
    await streams.rest_idle()
    await replica(store, clock).resume(stream.id)
    again = await streams.resume(stream.id)
    streams.attach(again, newer)
    streams.detach(stream, older)
    assert list(streams) == [again] and again.connection is newer


async def test_what_the_store_does_not_have_stays_in_memory(store: FarStore, clock: Clock) -> None:
    streams = replica(store, clock)
    stream = await streams.open(MODEL)
    await move(streams, stream, 1)
    store.away = True
    clock.now = IDLE + 1
    await streams.rest_idle()
    assert list(streams) == [stream] and not stream.resting


async def test_a_full_replica_lets_rest_what_nobody_holds(store: FarStore, clock: Clock) -> None:
    streams = replica(store, clock)
    first, second = await streams.open(MODEL), await streams.open(MODEL)
    streams.attach(second, Listener())
    third = await streams.open(MODEL)
    assert set(streams) == {second, third}
    streams.attach(third, Listener())
    with pytest.raises(Full):
        await streams.resume(first.id)
