"""Connections that have more to read have turns: several in one of the event loop, or one each."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from larnn_service.transport.backlog import Turns


@pytest.mark.parametrize(
    ("turn", "order"), [(60.0, "abc---"), (0.0, "a-b-c-")], ids=["as many as fit", "one"]
)
async def test_a_turn_has_as_many_pieces_as_its_time_allows(turn: float, order: str) -> None:
    turns, done = Turns(turn, pause=0), list[str]()

    def read(name: str) -> None:
        done.append(name)
        asyncio.get_running_loop().call_soon(done.append, "-")  # what others have to do

    for name in "abc":
        turns.add(partial(read, name))
    for _ in range(20):
        await asyncio.sleep(0)
    assert "".join(done) == order


async def test_what_is_removed_has_no_turn() -> None:
    turns, done = Turns(pause=1e-3), asyncio.Event()

    def never() -> None:
        raise AssertionError("it was removed")

    turns.add(never)
    turns.add(done.set)
    turns.remove(never)
    await done.wait()
    assert not turns.waiting
