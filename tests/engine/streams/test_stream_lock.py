"""The lock of a stream: one holder, the longest waiter next, and no lock is ever lost."""

from __future__ import annotations

import asyncio

import pytest

from larnn_service.engine.streams.stream_lock import StreamLock


class Waiters:
    """Tasks that wait for a lock in the order of their numbers, and note when they get it."""

    def __init__(self, lock: StreamLock, count: int) -> None:
        self.got: list[int] = []
        self.tasks = [asyncio.create_task(self._wait(lock, number)) for number in range(count)]

    async def _wait(self, lock: StreamLock, number: int) -> None:
        await lock.acquire()
        self.got.append(number)


@pytest.fixture
def lock() -> StreamLock:
    return StreamLock()


async def waiting(lock: StreamLock, count: int) -> Waiters:
    """The lock is held, and so many wait."""
    assert lock.try_acquire()
    waiters = Waiters(lock, count)
    await asyncio.sleep(0)
    return waiters


async def turn() -> None:
    """Let who was woken go on."""
    await asyncio.sleep(0)


def test_a_free_lock_is_taken_without_a_task_and_a_held_one_is_not(lock: StreamLock) -> None:
    assert not lock.locked()
    assert lock.try_acquire() and lock.locked()
    assert not lock.try_acquire()
    lock.release()
    assert not lock.locked() and lock.try_acquire()


async def test_the_longest_waiter_is_next(lock: StreamLock) -> None:
    waiters = await waiting(lock, 3)
    assert waiters.got == []
    for count in (1, 2, 3):
        lock.release()
        await turn()
        assert waiters.got == list(range(count))
    lock.release()
    assert not lock.locked()


async def test_nobody_comes_between_a_release_and_the_one_who_waited(lock: StreamLock) -> None:
    waiters = await waiting(lock, 1)
    lock.release()
    assert lock.locked() and not lock.try_acquire()
    await turn()
    assert waiters.got == [0]


async def test_who_gives_up_while_waiting_is_passed_over(lock: StreamLock) -> None:
    waiters = await waiting(lock, 2)
    waiters.tasks[0].cancel()
    lock.release()  # before the cancelled task has had a turn
    await asyncio.wait(waiters.tasks)
    assert waiters.got == [1] and lock.locked()


async def test_who_gave_up_before_the_release_is_passed_over(lock: StreamLock) -> None:
    waiters = await waiting(lock, 1)
    waiters.tasks[0].cancel()
    await asyncio.wait(waiters.tasks)
    assert lock.locked()
    lock.release()
    assert not lock.locked() and waiters.got == []


@pytest.mark.parametrize("others", [0, 1])
async def test_who_is_cancelled_after_the_handover_hands_it_on(
    lock: StreamLock, others: int
) -> None:
    waiters = await waiting(lock, 1 + others)
    lock.release()
    waiters.tasks[0].cancel()
    await asyncio.wait(waiters.tasks)
    assert waiters.tasks[0].cancelled()
    assert (waiters.got, lock.locked()) == (([1], True) if others else ([], False))


async def test_a_block_that_fails_lets_go(lock: StreamLock) -> None:
    with pytest.raises(ZeroDivisionError):
        async with lock:
            assert lock.locked()
            raise ZeroDivisionError
    assert not lock.locked()
