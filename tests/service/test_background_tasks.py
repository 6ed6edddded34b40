"""Background tasks, and work by callbacks that somebody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from larnn_service.errors import StartupError
from larnn_service.tasks import Tasks, finished, outcome_of, regularly, result_of


async def never() -> None:
    await asyncio.Event().wait()


async def test_a_task_is_run_and_can_be_cancelled() -> None:
    tasks, ended = Tasks(), asyncio.Event()

    async def work() -> None:
        ended.set()

    tasks.start(work())
    await ended.wait()
    cancelled = [tasks.start(never()) for _ in range(2)]
    assert cancelled[0]()
    await asyncio.sleep(0)
    tasks.cancel()
    await asyncio.sleep(0)
    assert not cancelled[1]()  # it has ended


async def test_an_error_that_a_task_lets_out_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise ZeroDivisionError

    Tasks().start(work())
    for _ in range(2):
        await asyncio.sleep(0)
    assert "a background task failed" in caplog.text


async def test_what_is_done_regularly_goes_on_whatever_it_raises(
    caplog: pytest.LogCaptureFixture,
) -> None:
    raised = [OSError(116, "stale"), StartupError("no model"), KeyError("what nobody expected")]
    done = asyncio.Event()

    async def work() -> None:
        if raised:
            raise raised.pop()
        done.set()

    task = asyncio.create_task(regularly(0, work))
    await done.wait()
    task.cancel()
    assert caplog.text.count("has failed") == 3 and "what nobody expected" in caplog.text


async def test_an_answer_is_awaited_and_its_work_let_go() -> None:
    abandoned: list[str] = []

    def begin(answer: Callable[[str], None]) -> Callable[[], None]:
        answer("first")
        answer("second")
        return lambda: abandoned.append("work")

    assert await outcome_of(begin) == "first"
    assert abandoned == ["work"]


async def test_who_stops_waiting_abandons_the_work() -> None:
    abandoned: list[str] = []
    answers: list[Callable[[str], None]] = []

    def begin(answer: Callable[[str], None]) -> Callable[[], None]:
        answers.append(answer)
        return lambda: abandoned.append("work")

    waiting = asyncio.create_task(outcome_of(begin))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert abandoned == ["work"]
    answers[0]("late")  # disturbs nobody


async def test_an_error_that_is_answered_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await result_of(lambda answer: answer(ZeroDivisionError()))


@pytest.mark.parametrize("fails", [False, True])
async def test_work_that_is_not_broken_off_ends_before_who_is_cancelled(fails: bool) -> None:
    may_end, ended = asyncio.Event(), False

    async def work() -> None:
        nonlocal ended
        await may_end.wait()
        ended = True
        if fails:
            raise ZeroDivisionError

    waiting = asyncio.create_task(finished(work()))
    await asyncio.sleep(0)
    waiting.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    may_end.set()
    await asyncio.wait([waiting])
    assert ended and waiting.cancelled()


async def test_work_that_ends_gives_its_result_or_error() -> None:
    async def work(fails: bool) -> int:
        if fails:
            raise ZeroDivisionError
        return 1

    assert await finished(work(fails=False)) == 1
    with pytest.raises(ZeroDivisionError):
        await finished(work(fails=True))
