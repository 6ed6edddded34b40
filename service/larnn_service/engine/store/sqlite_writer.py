"""SQLite off the event loop: one thread, and one transaction for all that waits."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from larnn_service.errors import Unavailable

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
TRY_AGAIN = 0.001
"""Seconds after which a file that another process writes is tried again."""


@dataclass(slots=True)
class _Job:
    work: Work[Any]
    reply: Future[Any] = field(default_factory=Future)


class SqliteWriter:
    """One connection in one thread. A reply to a write comes after its bytes are on the disk."""

    def __init__(self, path: Path, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._jobs: deque[_Job] = deque()

    def connect(self, schema: str) -> None:
        """Open the file, or make it. Blocks. Raises sqlite3.Error."""
        self._thread.submit(self._connect, schema).result()

    def now(self, work: Work[T]) -> T:
        """The same as `write`, for who is in no event loop. Blocks. Raises sqlite3.Error."""
        return self._thread.submit(self._transaction, work).result()

    async def write(self, work: Work[T]) -> T:
        """Do the work within a transaction. Raises Unavailable, and then nothing was written."""
        job = _Job(work)
        self._jobs.append(job)
        self._thread.submit(self._commit)
        result: T = await asyncio.wrap_future(job.reply)
        return result

    async def read(self, work: Work[T]) -> T:
        """Do work that writes nothing. Raises Unavailable."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._read, work)

    async def close(self) -> None:
        """After what was begun: the file is whole."""
        await asyncio.wrap_future(self._thread.submit(lambda: self._db.close()))
        self._thread.shutdown()

    def _connect(self, schema: str) -> None:
        self._path.touch(mode=0o600)  # the secret is inside
        self._db = sqlite3.connect(self._path, timeout=self._timeout, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA secure_delete = ON")
        self._db.executescript(schema)
        self._db.execute("PRAGMA busy_timeout = 0")  # from here on `_when_free`

    def _read(self, work: Work[T]) -> T:
        try:
            return self._when_free(work)
        except sqlite3.Error as error:
            raise Unavailable() from error

    def _when_free(self, work: Work[T]) -> T:
        """Once no other process is in the way. SQLite itself tries ever less often, so that who
        writes without a pause would keep another out for seconds."""
        until = time.monotonic() + self._timeout
        while True:
            try:
                return work(self._db)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
            time.sleep(TRY_AGAIN)

    def _transaction(self, work: Work[T]) -> T:
        self._when_free(lambda db: db.execute("BEGIN IMMEDIATE"))
        try:
            result = work(self._db)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.rollback()
            raise
        return result

    def _commit(self) -> None:
        """All jobs that came since the last call, in one transaction: one wait for the disk."""
        jobs = [self._jobs.popleft() for _ in range(len(self._jobs))]
        if not jobs:
            return
        try:
            results = self._transaction(lambda db: [job.work(db) for job in jobs])
        except sqlite3.Error as error:
            _settle(jobs, [_unavailable(error)] * len(jobs))
        except Exception as error:
            _settle(jobs, [error] * len(jobs))
        else:
            _settle(jobs, results)


def _unavailable(error: Exception) -> Exception:
    failure = Unavailable()
    failure.__cause__ = error
    return failure


def _settle(jobs: list[_Job], results: list[Any]) -> None:
    for job, result in zip(jobs, results, strict=True):
        if not job.reply.set_running_or_notify_cancel():  # whoever asked has gone
            continue
        if isinstance(result, Exception):
            job.reply.set_exception(result)
        else:
            job.reply.set_result(result)
