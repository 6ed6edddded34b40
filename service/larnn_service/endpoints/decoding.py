"""Decoding of large bodies, and encoding of large answers, in a thread while others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from larnn_service.tasks import Tasks

T = TypeVar("T")
Abandon = Callable[[], object]


class Decoding:
    """One thread for all of them: one after the other, so that few are in memory twice."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="decode")
        self._tasks = Tasks()

    def begin(
        self,
        decode: Callable[[], T],
        run: Callable[[T], Abandon | None],
        failed: Callable[[Exception], None],
    ) -> Abandon:
        """Decode in the thread, then `run` what it gives, which may return what abandons it.
        Returns what abandons the work.

        `failed` gets what `decode` and `run` raise.
        """
        return self.begin_with(partial(self.result, decode), run, failed)

    def begin_with(
        self,
        decode: Callable[[], Awaitable[T]],
        run: Callable[[T], Abandon | None],
        failed: Callable[[Exception], None],
    ) -> Abandon:
        """The same of what is decoded in several steps."""
        running: list[Abandon] = []

        async def work() -> None:
            try:
                abandon_run = run(await decode())
            except Exception as error:
                return failed(error)
            if abandon_run is not None:
                running.append(abandon_run)

        cancel = self._tasks.start(work())

        def abandon() -> None:
            cancel()
            for each in running:
                each()

        return abandon

    async def result(self, decode: Callable[[], T]) -> T:
        """The same for those who can wait. Raises what `decode` raises."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, decode)

    def close(self) -> None:
        """No body comes any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)
