"""Threads for what may hang: a read of the models folder, a graph that never ends.

A thread cannot be ended from outside, so one whose time is up is left behind: nobody waits for it,
and what it does later is not used.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from larnn_service.errors import Passing
from larnn_service.signals import wait_for
from larnn_service.tasks import do

T = TypeVar("T")
NAME = "load"
"""Of each thread."""
AT_WORK = 4
"""Threads at a time that somebody waits for; who comes then waits for a place."""
LEFT_BEHIND = 4
"""Threads left behind that have not ended; more work is then refused."""


class Late(Passing):
    """It took too long, or is not even tried behind others that did."""


class LoadThreads:
    """Each piece of work has a daemon thread of its own, and a deadline."""

    def __init__(self, within: float = math.inf, setting: str = "LARNN_LOAD_TIMEOUT") -> None:
        """Seconds for each piece of work, or infinitely many; `setting`: where they are from."""
        self.within, self._setting = None if within == math.inf else within, setting
        self._places = asyncio.Semaphore(AT_WORK)
        self._left: dict[threading.Thread, str] = {}
        """By the thread what it does."""

    def hangs(self, what: str) -> bool:
        """Whether such work was given up and has not ended."""
        return any(left == what and thread.is_alive() for thread, left in self._left.items())

    def now(self, work: Callable[[], T], what: str) -> T:
        """What comes of the work; blocks. `what`: its name in an error. Raises Late."""
        thread, result = self._start(work, what)
        try:
            return wait_for(result, self.within)
        except TimeoutError:
            self._left[thread] = what
            raise self._late(what) from None

    async def run(self, work: Callable[[], T], what: str) -> T:
        """The same, while the event loop goes on."""
        thread = None
        try:
            async with asyncio.timeout(self.within), self._places:
                thread, result = self._start(work, what)
                return await asyncio.wrap_future(result)
        except (TimeoutError, asyncio.CancelledError) as error:
            if thread is not None:
                self._left[thread] = what
            if isinstance(error, asyncio.CancelledError):
                raise
            raise self._late(what) from None

    def _start(self, work: Callable[[], T], what: str) -> tuple[threading.Thread, Future[T]]:
        self._left = {thread: left for thread, left in self._left.items() if thread.is_alive()}
        if len(self._left) >= LEFT_BEHIND:
            raise Late(
                f"{what} is not tried: {len(self._left)} such threads took too long and have not "
                "ended yet; see why their files cannot be read, or start the service again"
            )
        result: Future[T] = Future()
        result.set_running_or_notify_cancel()  # who stops waiting cancels nothing
        thread = threading.Thread(target=do, args=[work, result], name=NAME, daemon=True)
        thread.start()
        return thread, result

    def _late(self, what: str) -> Late:
        return Late(f"{what} took longer than {self._setting}, {self.within:g} s: given up")
