"""Threads that run the model while the event loop goes on."""

from __future__ import annotations

import asyncio
import math
import sys
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")
SWITCH_INTERVAL = 0.0005
"""Seconds. A run that has ended waits at most so long for the interpreter, by default ten times."""

NAME = "run"
"""Of each thread of a run, before its number."""
Job = Callable[[], None]


def outcome_of(run: Callable[[], T]) -> T | Exception:
    """Its result or its error, which belongs to the rows of this run."""
    try:
        return run()
    except Exception as error:
        return error


class Executor:
    """A leaner executor: no futures, and its threads end with the process."""

    def __init__(self, count: int, name: str = NAME) -> None:
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{index}", daemon=True)
            for index in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def start(self, run: Callable[[], T], settle: Callable[[T | Exception], None]) -> None:
        """`run` in a thread, then `settle` with its result or error in the calling event loop."""
        loop = asyncio.get_running_loop()

        def job() -> None:
            loop.call_soon_threadsafe(settle, outcome_of(run))

        self._jobs.put(job)

    async def run(self, run: Callable[[], T]) -> T:
        """Its result; raises its error."""
        reply: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def settle(outcome: T | Exception) -> None:
            if reply.done():
                return
            if isinstance(outcome, Exception):
                reply.set_exception(outcome)
            else:
                reply.set_result(outcome)

        self.start(run, settle)
        return await reply

    def close(self, within: float = math.inf) -> None:
        """Let each thread end its job, and wait for it; for all of them so many seconds at most."""
        for _ in self._threads:
            self._jobs.put(None)
        ends = time.monotonic() + within
        for thread in self._threads:
            thread.join(None if within == math.inf else max(ends - time.monotonic(), 0))

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # nothing of it stays until the next one comes
