"""Turns and places of chunks that were sent ahead, in a loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from larnn_service.engine.streams.fair_queue import Pacer


class Crowd:
    """Clients that send ahead: each takes a place and keeps it until it is let go."""

    def __init__(self, pacer: Pacer, clients: int) -> None:
        self.inside = self.left = 0
        self.let_go = asyncio.Event()
        self.tasks = [asyncio.create_task(self._one(pacer)) for _ in range(clients)]

    async def _one(self, pacer: Pacer) -> None:
        async with pacer.ahead():
            self.inside += 1
            await self.let_go.wait()
        self.left += 1

    async def done(self) -> None:
        self.let_go.set()
        await asyncio.gather(*self.tasks)


async def turns_until(condition: Callable[[], bool]) -> int:
    """Turns of the loop; the test's time limit is theirs."""
    turns = 0
    while not condition():
        await asyncio.sleep(0)
        turns += 1
    return turns


async def live_chunk(pacer: Pacer) -> None:
    async with pacer.first(live=True):
        pass


async def test_alone_they_have_all_places_at_once() -> None:
    crowd = Crowd(Pacer(16), 20)
    await asyncio.sleep(0)
    assert crowd.inside == 16
    await crowd.done()
    assert crowd.left == 20


async def test_beside_a_live_stream_they_have_an_eighth_one_after_the_other() -> None:
    pacer = Pacer(16)
    await live_chunk(pacer)
    crowd = Crowd(pacer, 20)
    first = await turns_until(lambda: crowd.inside == 1)
    assert await turns_until(lambda: crowd.inside == 2) > 0 < first
    for _ in range(10):
        await asyncio.sleep(0)
    assert crowd.inside == 2
    crowd.let_go.set()
    seen = set()
    while crowd.left < 20:
        before = crowd.left
        await asyncio.sleep(0)
        seen.add(crowd.left - before)
    assert seen == {0, 1}


async def test_one_place_is_theirs_however_few_there_are() -> None:
    pacer = Pacer(1)
    await live_chunk(pacer)
    crowd = Crowd(pacer, 3)
    await turns_until(lambda: crowd.inside == 1)
    await crowd.done()


async def test_they_wait_while_a_live_chunk_is_in_work_and_go_on_after_it() -> None:
    pacer = Pacer(16)
    async with pacer.first(live=True):
        crowd = Crowd(pacer, 1)
        for _ in range(5):
            await asyncio.sleep(0)
        assert crowd.inside == 0
    assert await turns_until(lambda: crowd.inside == 1) < 5
    await crowd.done()


async def test_they_are_not_starved_by_chunks_that_never_end() -> None:
    pacer = Pacer(16)
    async with pacer.first(live=True):
        crowd = Crowd(pacer, 3)
        await crowd.done()
    assert crowd.left == 3


async def test_a_fast_client_is_no_live_stream() -> None:
    pacer = Pacer(16)
    async with pacer.first(live=False):
        crowd = Crowd(pacer, 16)
        await asyncio.sleep(0)
        assert crowd.inside == 16
    await crowd.done()


async def test_who_leaves_while_it_waits_leaves_its_place_to_the_next() -> None:
    pacer = Pacer(8)
    await live_chunk(pacer)
    crowd = Crowd(pacer, 4)
    await turns_until(lambda: crowd.inside == 1)
    crowd.tasks[1].cancel()  # waits
    crowd.tasks[0].cancel()  # is inside
    await asyncio.wait(crowd.tasks[:2])
    await turns_until(lambda: crowd.inside == 2)
    crowd.tasks[2].cancel()
    await turns_until(lambda: crowd.inside == 3)
    crowd.let_go.set()
    await crowd.tasks[3]


async def test_a_turn_that_comes_too_late_is_given_back() -> None:
    """Cancelled in the turn of the loop in which it is let in."""
    pacer = Pacer(1)
    crowd = Crowd(pacer, 3)
    await turns_until(lambda: crowd.inside == 1)
    crowd.tasks[0].cancel()
    for _ in range(10):
        crowd.tasks[1].cancel()
        await asyncio.sleep(0)
    await turns_until(lambda: crowd.inside == 2)
    crowd.let_go.set()
    await crowd.tasks[2]


async def test_they_enter_in_the_order_in_which_they_came() -> None:
    pacer, entered = Pacer(3), list[int]()

    async def one(number: int) -> None:
        async with pacer.ahead():
            entered.append(number)
            for _ in range(number % 4):
                await asyncio.sleep(0)

    tasks = []
    for number in range(300):
        tasks.append(asyncio.create_task(one(number)))
        if number % 3 == 0:
            await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert entered == list(range(300))
