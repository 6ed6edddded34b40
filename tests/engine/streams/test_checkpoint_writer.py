"""When streams are written, and what happens when the store refuses or another owns them."""

from __future__ import annotations

import asyncio

import pytest

from larnn_service.errors import Expired, Moved, Unavailable, UnknownModel
from tests.engine.replicas import MODEL, Clock, FarStore, Listener, move, replica
from tests.served import served


async def test_every_so_many_steps_and_no_answer_waits(store: FarStore, clock: Clock) -> None:
    streams = replica(store, clock)
    stream = await streams.open(MODEL)
    await move(streams, stream, 9)
    assert stream.dirty and store.saved.empty()
    await move(streams, stream, 10)
    assert stream.durable == 0
    assert await store.saved.get() == 10
    await streams.checkpoints.write(stream)
    assert (stream.durable, stream.dirty) == (10, False)


async def test_what_moves_while_it_is_written_is_written_next(
    store: FarStore, clock: Clock
) -> None:
    streams = replica(store, clock)
    stream = await streams.open(MODEL)
    await move(streams, stream, 10)
    await asyncio.sleep(0)
    await move(streams, stream, 30)
    assert [await store.saved.get() for _ in range(2)] == [10, 30]


async def test_every_so_many_seconds(store: FarStore, clock: Clock) -> None:
    streams = replica(store, clock, checkpoint_interval=0.01)
    stream = await streams.open(MODEL)
    await move(streams, stream, 1)
    assert await store.saved.get() == 1


async def test_when_the_connection_goes(store: FarStore, clock: Clock) -> None:
    streams = replica(store, clock)
    stream = await streams.open(MODEL)
    listener = Listener()
    streams.attach(stream, listener)
    await move(streams, stream, 1)
    streams.detach(stream, listener)
    assert await store.saved.get() == 1


async def test_a_store_that_comes_back_gets_what_it_missed(store: FarStore, clock: Clock) -> None:
    streams = replica(store, clock, checkpoint_interval=0.01)
    stream = await streams.open(MODEL)
    store.away = True
    await move(streams, stream, 20)
    with pytest.raises(Unavailable):
        await streams.checkpoints.write(stream)
    assert (stream.durable, stream.lost) == (0, None)
    store.away = False
    assert await store.saved.get() == 20


async def test_what_a_caller_waited_for_in_vain_is_written_soon(
    store: FarStore, clock: Clock
) -> None:
    """The store was away, or the caller went."""
    streams = replica(store, clock, checkpoint_interval=0.01)
    stream = await streams.open(MODEL)
    await move(streams, stream, 1)
    store.away = True
    with pytest.raises(Unavailable):
        await streams.checkpoints.write(stream)
    store.away = False
    assert await store.saved.get() == 1
    await move(streams, stream, 2)
    caller = asyncio.create_task(streams.checkpoints.write(stream))
    await asyncio.sleep(0)
    caller.cancel()
    assert await store.saved.get() == 2
    [family] = streams.metrics.checkpoints.collect()
    counts = [sample for sample in family.samples if sample.name.endswith("_count")]
    outcomes = {sample.labels["outcome"]: sample.value for sample in counts}
    assert outcomes == {"saved": 2, "unavailable": 1}


async def test_an_owner_of_the_past_is_told_at_its_next_checkpoint(
    store: FarStore, clock: Clock
) -> None:
    older, newer = replica(store, clock), replica(store, clock)
    stream = await older.open(MODEL)
    listener = Listener()
    older.attach(stream, listener)
    taken = await newer.resume(stream.id)
    await move(newer, taken, 5)
    await newer.checkpoints.write(taken)
    await move(older, stream, 3)
    with pytest.raises(Moved):
        await older.checkpoints.write(stream)
    assert [type(reason) for reason in listener.reasons] == [Moved]
    with pytest.raises(Moved):
        await move(older, stream, 4)
    again = await older.resume(stream.id)
    assert again is not stream and again.checkpoint.position == 5


async def test_what_is_ahead_of_the_store_is_kept_when_resumed_here(
    store: FarStore, clock: Clock
) -> None:
    streams = replica(store, clock)
    stream = await streams.open(MODEL)
    await move(streams, stream, 3)
    resumed = await streams.resume(stream.id)
    assert resumed is stream and (stream.checkpoint.position, stream.durable) == (3, 0)


async def test_resumed_twice_at_once_it_is_one_stream(store: FarStore, clock: Clock) -> None:
    older, newer = replica(store, clock), replica(store, clock)
    stream = await older.open(MODEL)
    one, other = await asyncio.gather(newer.resume(stream.id), newer.resume(stream.id))
    assert one is other


async def test_looking_leaves_a_stream_with_its_owner(store: FarStore, clock: Clock) -> None:
    owner, other = replica(store, clock), replica(store, clock)
    stream = await owner.open(MODEL)
    await move(owner, stream, 4)
    await owner.checkpoints.write(stream)
    assert (await other.look(stream.id)).checkpoint.position == 4
    await move(owner, stream, 5)
    await owner.checkpoints.write(stream)
    assert (await owner.look(stream.id)).checkpoint.position == 5


async def test_a_store_that_forgot_is_no_free_fence(store: FarStore, clock: Clock) -> None:
    streams = replica(store, clock)
    stream = await streams.open(MODEL)
    await store.delete(stream.id)
    await move(streams, stream, 1)
    with pytest.raises(Expired):
        await streams.checkpoints.write(stream)
    with pytest.raises(Expired):
        await streams.resume(stream.id)
    assert await store.head(stream.id) is None


async def test_a_version_that_is_not_served_stays_with_its_owner(
    store: FarStore, clock: Clock
) -> None:
    streams = replica(store, clock)
    stream = await streams.open(MODEL)
    upgraded = replica(store, clock, models=served())
    with pytest.raises(UnknownModel, match="toy/1"):
        await upgraded.resume(stream.id)
    await move(streams, stream, 1)
    await streams.checkpoints.write(stream)


async def test_a_damaged_checkpoint_is_expired(store: FarStore, clock: Clock) -> None:
    stream = await replica(store, clock).open(MODEL)
    store.damaged = True
    with pytest.raises(Expired, match="damaged"):
        await replica(store, clock).resume(stream.id)
