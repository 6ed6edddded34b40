"""Decoding of bodies: small ones at once, large ones in a thread while others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from larnn_service.tasks import Tasks
from larnn_service.wire.large_json import LARGE

T = TypeVar("T")
Abandon = Callable[[], object]


class Decoding:
    """One thread for all large bodies: one after the other, so that few are in memory twice."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="decode")
        self._tasks = Tasks()

    def begin(
        self,
        size: int,
        decode: Callable[[], T],
        run: Callable[[T], Abandon],
        failed: Callable[[Exception], None],
    ) -> Abandon:
        """Decode a body of so many bytes, then `run` what it says. Returns what abandons the work.

        Of a small body this raises what `decode` and `run` raise; of a large one `failed` gets it.
        """
        if size <= LARGE:
            return run(decode())
        running: list[Abandon] = []

        async def work() -> None:
            try:
                running.append(run(await self.result(size, decode)))
            except Exception as error:
                failed(error)

        cancel = self._tasks.start(work())

        def abandon() -> None:
            cancel()
            for each in running:
                each()

        return abandon

    async def result(self, size: int, decode: Callable[[], T]) -> T:
        """The same for those who can wait. Raises what `decode` raises."""
        if size <= LARGE:
            return decode()
        return await asyncio.get_running_loop().run_in_executor(self._thread, decode)

    def close(self) -> None:
        """No body comes any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)
