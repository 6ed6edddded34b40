"""Open streams: identity, capacity, idle expiry, who holds the connection."""

from __future__ import annotations

import pytest

from larnn_service.engine.store.memory import MemoryStore
from larnn_service.engine.streams.places import Places
from larnn_service.engine.streams.registry import Streams
from larnn_service.errors import Conflict, Expired, Full, Moved, UnknownStream
from larnn_service.interfaces import Model
from larnn_service.stream_ids import StreamIds
from tests.engine.bench import MANIFEST, Sums
from tests.engine.replicas import IDLE, MODEL, MODELS, Clock, Listener


@pytest.fixture
def streams(clock: Clock) -> Streams:
    return Streams(
        MemoryStore(), StreamIds("secret"), MODELS, Places(2), idle_timeout=IDLE, clock=clock
    )


def test_ids_are_told_from_any_other() -> None:
    ids = StreamIds("secret")
    assert ids.new() != ids.new()
    assert ids.is_ours(StreamIds("secret").new())
    for other in (StreamIds("another").new(), "", "é" * 48, ids.new()[:-1], ids.new() + "0"):
        assert not ids.is_ours(other)


async def test_a_stream_is_stored_before_it_is_given(streams: Streams) -> None:
    stream = await streams.open(MODEL)
    assert await streams.store.load(stream.id) == stream.checkpoint
    assert (stream.checkpoint.position, stream.durable) == (0, 0)


async def test_ended_streams_leave_their_place(streams: Streams) -> None:
    first, _ = await streams.open(MODEL), await streams.open(MODEL)
    with pytest.raises(Full):
        await streams.open(MODEL)
    await streams.end(first)
    await streams.open(MODEL)


async def test_idle_streams_expire_and_touched_ones_do_not(streams: Streams, clock: Clock) -> None:
    idle, touched = await streams.open(MODEL), await streams.open(MODEL)
    listener = Listener()
    streams.attach(idle, listener)
    clock.now = IDLE - 1
    await streams.resume(touched.id)
    clock.now = IDLE + 1
    await streams.rest_idle()
    assert await streams.resume(touched.id) is touched
    assert [type(reason) for reason in listener.reasons] == [Expired]
    assert await streams.store.load(idle.id) is None
    with pytest.raises(Expired):
        await streams.resume(idle.id)


async def test_a_stream_that_runs_does_not_expire(streams: Streams, clock: Clock) -> None:
    stream = await streams.open(MODEL)
    async with stream.lock:
        clock.now = 2 * IDLE
        await streams.rest_idle()
    assert await streams.resume(stream.id) is stream


async def test_unknown_is_told_from_gone(streams: Streams) -> None:
    stream = await streams.open(MODEL)
    await streams.remove(stream.id)
    with pytest.raises(Expired):
        await streams.resume(stream.id)
    with pytest.raises(UnknownStream):
        await streams.resume(StreamIds("another").new())


async def test_a_removed_stream_cannot_be_moved(streams: Streams) -> None:
    stream = await streams.open(MODEL)
    await streams.remove(stream.id)
    with pytest.raises(Expired):
        streams.commit(stream, stream.checkpoint)
    assert await streams.store.load(stream.id) is None


async def test_a_key_opens_one_stream_while_it_lives(streams: Streams) -> None:
    first = await streams.open(MODEL, "key")
    assert await streams.open(MODEL, "key") is first
    other = MANIFEST.model_copy(update={"name": "other"})
    with pytest.raises(Conflict):
        await streams.open(Model(other, Sums()), "key")
    await streams.remove(first.id)
    assert await streams.open(MODEL, "key") is not first


async def test_the_newer_connection_takes_over(streams: Streams) -> None:
    stream = await streams.open(MODEL)
    older, newer = Listener(), Listener()
    streams.attach(stream, older)
    streams.attach(stream, newer)
    streams.detach(stream, older)
    assert [type(reason) for reason in older.reasons] == [Moved]
    assert stream.connection is newer
    streams.detach(stream, newer)
    assert stream.connection is None


async def test_closing_waits_no_longer_than_told(streams: Streams) -> None:
    stream = await streams.open(MODEL)
    deaf = Listener()
    streams.attach(stream, deaf)
    await streams.connections.close(Moved("away"), within=0.01)
    assert deaf.reasons
