"""Decoding of large bodies, and encoding of large answers, in a thread; owners take turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from larnn_service.admission.byte_budget import WaitingBytes
from larnn_service.errors import Moved

T = TypeVar("T")
Abandon = Callable[[], object]


@dataclass(eq=False)
class _Work:
    decode: Callable[[], Any]
    told: asyncio.Future[Any]
    owner: str
    size: int
    counted: int = 0


class Decoding:
    """One thread for all of them: one after the other, so that few are in memory twice.

    Each owner has a line, and one turn after the other's. What is abandoned leaves its line, and
    the body with it; the bytes of a body that the thread has are counted until it lets go.
    """

    def __init__(self, waiting: WaitingBytes) -> None:
        """`waiting`: where bytes are counted of which their requests know no more."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="decode")
        self._bytes = waiting
        self._lines: dict[str, dict[_Work, None]] = {}
        """By owner; the first one has the next turn."""
        self._running: _Work | None = None

    def begin(
        self,
        decode: Callable[[], T],
        run: Callable[[T], Abandon | None],
        failed: Callable[[Exception], None],
        owner: str,
        size: int,
    ) -> Abandon:
        """Decode `size` bytes of the owner's in the thread, then `run` what it gives, which may
        return what abandons it. Returns what abandons the work.

        `failed` gets what `decode` and `run` raise, or Moved where the work is abandoned before it
        runs.
        """
        running: list[Abandon] = []
        gone = False

        def then(told: asyncio.Future[T]) -> None:
            if gone or told.cancelled():
                return failed(Moved("its client has gone; it was not counted"))
            if isinstance(error := told.exception(), Exception):
                return failed(error)  # not raised here: its traceback would hold itself, by `told`
            try:
                abandon_run = run(told.result())
            except Exception as error:
                return failed(error)
            if abandon_run is not None:
                running.append(abandon_run)

        told = self._told(decode, owner, size)
        told.add_done_callback(then)

        def abandon() -> None:
            nonlocal gone
            gone = True
            told.cancel()
            for each in running:
                each()

        return abandon

    async def result(self, decode: Callable[[], T], owner: str, size: int) -> T:
        """The same for those who can wait; cancelled, they abandon it. Raises what `decode`
        raises."""
        return await self._told(decode, owner, size)

    def close(self) -> None:
        """No body comes any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        for line in self._lines.values():
            for work in line:
                work.told.cancel()
        self._lines.clear()

    def _told(self, decode: Callable[[], T], owner: str, size: int) -> asyncio.Future[T]:
        told: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        work = _Work(decode, told, owner, size)
        self._lines.setdefault(owner, {})[work] = None
        told.add_done_callback(partial(self._left, work))
        self._begin_next()
        return told

    def _begin_next(self) -> None:
        """The first work of the next owner, who goes behind the others."""
        if self._running is not None or not self._lines:
            return
        owner = next(iter(self._lines))
        line = self._lines.pop(owner)
        work = next(iter(line))
        del line[work]
        if line:
            self._lines[owner] = line
        ended = asyncio.get_running_loop().run_in_executor(self._thread, work.decode)
        self._running = work
        ended.add_done_callback(partial(self._ended, work))

    def _left(self, work: _Work, told: asyncio.Future[Any]) -> None:
        """Whoever waited for it is told, or has gone: then it leaves its line, or is counted until
        the thread has ended it."""
        if not told.cancelled():
            return
        if work is self._running:
            work.counted = work.size
            self._bytes.add(work.size, work.owner)
        elif (line := self._lines.get(work.owner)) is not None:
            line.pop(work, None)
            if not line:
                del self._lines[work.owner]

    def _ended(self, work: _Work, ended: asyncio.Future[Any]) -> None:
        self._running = None
        self._bytes.add(-work.counted, work.owner)
        if ended.cancelled():
            work.told.cancel()
        elif (error := ended.exception()) is None and not work.told.done():
            work.told.set_result(ended.result())
        elif error is not None and not work.told.done():
            work.told.set_exception(error)
        self._begin_next()
