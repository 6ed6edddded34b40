"""MessagePlaces for messages: shared among callers, who wait each for its own."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from larnn_service.admission.shares import FairShares
from larnn_service.endpoints.oip.grpc_places import MessagePlaces
from tests.engine.streams.test_fair_queue import turns_until


def taken(shares: FairShares, name: str) -> int:
    """How many this caller gets."""
    count = 0
    while shares.has_room(name):
        shares.take(name)
        count += 1
    return count


def test_each_caller_leaves_as_many_as_it_has() -> None:
    shares = FairShares(64)
    assert [taken(shares, name) for name in "abcdefgh"] == [32, 16, 8, 4, 2, 1, 1, 0]
    shares.give_back("a")
    assert not shares.has_room("a")
    assert shares.has_room("h")


def test_who_is_alone_has_all() -> None:
    assert taken(FairShares(64, alone=True), "") == 64


def test_there_is_one_for_the_first() -> None:
    assert [taken(shares := FairShares(1), "a"), taken(shares, "b")] == [1, 0]


async def test_who_waits_is_passed_by_others_alone() -> None:
    places, came = MessagePlaces(FairShares(4)), []

    async def come(name: str) -> None:
        async with places.one(name[0]):
            came.append(name)

    async with AsyncExitStack() as held:
        for _ in range(2):
            await held.enter_async_context(places.one("a"))
        waiting = [asyncio.create_task(come(name)) for name in ("a3", "a4")]
        await come("b1")
        assert came == ["b1"]
    await asyncio.gather(*waiting)
    assert came == ["b1", "a3", "a4"]


async def test_who_goes_lets_the_next_one_in() -> None:
    places, came = MessagePlaces(FairShares(1)), []

    async def come(name: str) -> None:
        async with places.one("a"):
            came.append(name)

    async with places.one("a"):
        gone, stays = [asyncio.create_task(come(name)) for name in ("gone", "stays")]
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait({gone})
    await stays
    await come("later")
    assert came == ["stays", "later"]


async def test_who_goes_as_it_is_let_in_gives_its_place_on() -> None:
    places, came = MessagePlaces(FairShares(1)), []

    async def come(name: str) -> None:
        async with places.one(name):
            came.append(name)

    async with places.one("a"):
        gone = asyncio.create_task(come("gone"))
        await asyncio.sleep(0)
    gone.cancel()  # it has the place, and does not know it yet
    await asyncio.wait({gone})
    await turns_until(gone.done)
    await come("b")
    assert came == ["b"]
