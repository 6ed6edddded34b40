"""SQLite off the event loop: one thread, and one transaction for all that waits."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from larnn_service.engine.store.health import StoreHealth
from larnn_service.engine.store.sqlite_file import SqliteFile, error_code

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
TRY_AGAIN = 0.001
"""Seconds after which a file that another process writes is tried again."""
DISK = 5.0
"""Seconds that the disk may take, beside those for which another process has the file."""


@dataclass(slots=True)
class _Job:
    work: Work[Any]
    adds: int
    reply: Future[Any] = field(default_factory=Future)


class SqliteWriter:
    """One connection in one thread. A reply to a write comes after its bytes are on the disk.

    On a full disk what erases has the room that is kept for it, and what adds is refused.
    """

    def __init__(self, path: Path, schema: str, timeout: float) -> None:
        """`timeout`: seconds for which another process may have the file."""
        self._timeout = timeout
        self._file = SqliteFile(path, schema, timeout)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._jobs: deque[_Job] = deque()
        self.health = StoreHealth(self._probe)

    def connect(self) -> None:
        """Open the file, or make it. Blocks. Raises sqlite3.Error, OSError."""
        self._thread.submit(self._file.create).result()

    def now(self, work: Work[T]) -> T:
        """The same as `write`, for who is in no event loop. Blocks. Raises sqlite3.Error."""
        [result] = self._thread.submit(self._transaction, [_Job(work, 0)]).result()
        kept: T = result
        return kept

    async def write(self, work: Work[T], adds: int = 0) -> T:
        """Do the work within a transaction; `adds`: bytes by which it may let the file grow.

        Raises Unavailable, and then nothing was written.
        """
        job = _Job(work, adds)
        self._jobs.append(job)
        self._thread.submit(self._commit)
        return await self._answer(asyncio.wrap_future(job.reply))

    async def read(self, work: Work[T]) -> T:
        """Do work that writes nothing. Raises Unavailable."""
        loop = asyncio.get_running_loop()
        return await self._answer(loop.run_in_executor(self._thread, self._when_free, work))

    async def close(self) -> None:
        """After what was begun: the file is whole."""
        self.health.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout + DISK):
                await asyncio.wrap_future(self._thread.submit(self._file.close))
        self._thread.shutdown(wait=False)

    async def _answer(self, reply: Awaitable[T]) -> T:
        limit = self._timeout + DISK
        try:
            async with asyncio.timeout(limit):
                return await reply
        except TimeoutError as error:
            raise self.health.failed(f"SQLite: no answer within {limit:g} s") from error
        except sqlite3.Error as error:
            raise self.health.failed(f"SQLite: {error}") from error

    async def _probe(self) -> None:
        """Writes where there is room for more; a connection that is of no use is made anew."""
        loop = asyncio.get_running_loop()
        await self._answer(loop.run_in_executor(self._thread, self._file.mend))
        await self.write(self._file.probe, adds=1)

    def _when_free(self, work: Work[T]) -> T:
        """Once no other process is in the way. SQLite itself tries ever less often, so that who
        writes without a pause would keep another out for seconds."""
        until = time.monotonic() + self._timeout
        while True:
            try:
                return work(self._file.db)
            except sqlite3.OperationalError as error:
                if error_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
            time.sleep(TRY_AGAIN)

    def _transaction(self, jobs: list[_Job]) -> list[Any]:
        """What comes of each; tried again with the reserve where the disk is full."""
        try:
            return self._attempt(jobs)
        except sqlite3.OperationalError as error:
            if error_code(error) != sqlite3.SQLITE_FULL:
                raise
        self._file.make_room()
        return self._attempt(jobs)

    def _attempt(self, jobs: list[_Job]) -> list[Any]:
        db = self._file.db
        self._when_free(lambda db: db.execute("BEGIN IMMEDIATE"))
        try:
            if any(job.adds for job in jobs):
                self._file.check_room()
            results = [job.work(db) for job in jobs]
            db.execute("COMMIT")
        except BaseException:
            db.rollback()
            raise
        return results

    def _commit(self) -> None:
        """All jobs that came since the last call, in one transaction: one wait for the disk."""
        jobs: list[_Job] = []
        size = 0
        while self._jobs and size < self._file.together:
            jobs.append(job := self._jobs.popleft())
            size += job.adds
        if jobs:
            self._settle(jobs)

    def _settle(self, jobs: list[_Job]) -> None:
        """Give each its reply; where all together fail, each is tried alone."""
        try:
            results = self._transaction(jobs)
        except Exception as error:
            if len(jobs) > 1 and error_code(error) != sqlite3.SQLITE_BUSY:
                for job in jobs:
                    self._settle([job])
                return
            results = [error] * len(jobs)
        for job, result in zip(jobs, results, strict=True):
            if not job.reply.set_running_or_notify_cancel():  # whoever asked has gone
                continue
            if isinstance(result, Exception):
                job.reply.set_exception(result)
            else:
                job.reply.set_result(result)
