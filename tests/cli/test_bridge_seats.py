"""How many streams a bridge holds open at a time."""

from __future__ import annotations

import asyncio

from larnn_cli.bridge.seats import Seats


async def test_who_waits_makes_the_lane_leave_that_is_idle_longest() -> None:
    seats, left = Seats(2), []

    async def hold(name: str, idle: bool) -> None:
        async with seats.seat():
            leave = asyncio.Event()
            if idle:
                with seats.idle(leave):
                    await leave.wait()
                left.append(name)
            else:
                await asyncio.Event().wait()

    first = [asyncio.create_task(hold(name, True)) for name in "ab"]
    await asyncio.sleep(0)
    assert not left
    busy = asyncio.create_task(hold("c", False))
    await asyncio.wait_for(first[0], 10)
    assert left == ["a"]
    last = asyncio.create_task(hold("d", True))
    await asyncio.wait_for(first[1], 10)
    assert left == ["a", "b"]
    after = asyncio.create_task(hold("e", True))
    await asyncio.wait_for(last, 10)
    for task in (busy, after):
        task.cancel()
    await asyncio.wait({busy, after})


async def test_who_becomes_idle_while_another_waits_leaves_at_once() -> None:
    seats, leave = Seats(1), asyncio.Event()
    async with seats.seat():
        waiting = asyncio.create_task(seats.seat().__aenter__())
        await asyncio.sleep(0)
        with seats.idle(leave):
            assert leave.is_set()
    await asyncio.wait_for(waiting, 10)
