"""Background tasks that are held until they end; the event loop itself holds them only weakly."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Tasks:
    """The tasks of one owner. An error that a task lets out is logged."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> Callable[[], object]:
        """Run `work` in a task, in the caller's context. Returns what cancels it."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task.cancel

    def cancel(self) -> None:
        """Cancel every task that is still running."""
        for task in self._running:
            task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a background task failed", exc_info=error)


async def regularly(interval: float, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Do the work every so many seconds. What it raises is logged, and it is done again."""
    while True:
        await asyncio.sleep(interval)
        try:
            await work()
        except Exception:
            logger.exception("what is done every %g s has failed", interval)


async def finished(work: Coroutine[Any, Any, T]) -> T:
    """Await work that is not broken off: who is cancelled meanwhile goes when it has ended."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with contextlib.suppress(Exception):
            await task
        raise


def do(work: Callable[[], T], result: Future[T]) -> None:
    """Do the work in this thread, and let others have what comes of it."""
    try:
        result.set_result(work())
    except BaseException as error:
        result.set_exception(error)


async def outcome_of(begin: Callable[[Callable[[T], None]], Callable[[], object] | None]) -> T:
    """Await work that answers by a callback.

    `begin` gets the callback and starts the work; what it returns abandons the work, and is called
    when the waiting ends.
    """
    reply: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def answer(outcome: T) -> None:
        if not reply.done():
            reply.set_result(outcome)

    abandon = begin(answer)
    try:
        return await reply
    finally:
        if abandon is not None:
            abandon()


async def result_of(
    begin: Callable[[Callable[[T | Exception], None]], Callable[[], object] | None],
) -> T:
    """The same for work that answers with a result or an exception, which is raised."""
    outcome = await outcome_of(begin)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
