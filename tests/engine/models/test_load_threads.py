"""Work that may hang: its deadline, and what is left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from larnn_service.engine.models import load_threads
from larnn_service.engine.models.load_threads import AT_WORK, LEFT_BEHIND, Late, LoadThreads
from larnn_service.errors import StartupError

SOON = 0.05
"""Seconds."""


@pytest.fixture
def hang() -> Iterator[threading.Event]:
    """Work waits until it is set, at the end of the test at the latest."""
    event = threading.Event()
    yield event
    event.set()
    for thread in _alive():
        thread.join()


def _alive() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == load_threads.NAME]


def fails() -> None:
    raise StartupError("not whole")


async def test_what_comes_of_the_work_is_returned_or_raised() -> None:
    threads = LoadThreads(60)
    assert threads.now(lambda: 1, "one") == 1
    assert await threads.run(lambda: 1, "one") == 1
    with pytest.raises(StartupError, match="not whole"):
        threads.now(fails, "it")
    with pytest.raises(StartupError, match="not whole"):
        await threads.run(fails, "it")


async def test_what_hangs_is_given_up_and_other_work_goes_on(hang: threading.Event) -> None:
    threads = LoadThreads(SOON)
    with pytest.raises(Late, match="loading toy/2 took longer than LARNN_LOAD_TIMEOUT, 0.05 s"):
        threads.now(hang.wait, "loading toy/2")
    with pytest.raises(Late, match="loading toy/3 took longer"):
        await threads.run(hang.wait, "loading toy/3")
    assert await LoadThreads(60).run(lambda: 1, "one") == 1


async def test_behind_too_many_that_hang_nothing_is_tried_until_one_ends(
    hang: threading.Event,
) -> None:
    threads = LoadThreads(SOON)
    for _ in range(LEFT_BEHIND):
        with pytest.raises(Late, match="took longer"):
            await threads.run(hang.wait, "it")
    for _ in range(2):
        with pytest.raises(Late, match="one is not tried: 4 such threads took too long"):
            await threads.run(lambda: 1, "one")
    assert len(_alive()) == LEFT_BEHIND
    hang.set()
    for thread in _alive():
        thread.join()
    threads.within = 60
    assert await threads.run(lambda: 1, "one") == 1


async def test_a_crowd_has_but_so_many_threads(hang: threading.Event) -> None:
    threads = LoadThreads(60)
    crowd = [asyncio.create_task(threads.run(hang.wait, "it")) for _ in range(10 * AT_WORK)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(_alive()) == AT_WORK
    hang.set()
    assert await asyncio.gather(*crowd) == [True] * len(crowd)


async def test_who_stops_waiting_leaves_its_thread_behind(hang: threading.Event) -> None:
    threads = LoadThreads(60)
    for _ in range(LEFT_BEHIND):
        task = asyncio.create_task(threads.run(hang.wait, "it"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    with pytest.raises(Late, match="not tried"):
        threads.now(lambda: 1, "one")
