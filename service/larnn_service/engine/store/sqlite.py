"""A store in one file, for one machine: streams survive a restart without any server."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from larnn_service.engine.store import rows
from larnn_service.engine.store.clock import BootClock, began, boot
from larnn_service.engine.store.fences import next_fence
from larnn_service.engine.store.interface import Head, Outcome, Survives
from larnn_service.engine.store.sqlite_writer import SqliteWriter
from larnn_service.engine.streams.checkpoint import Checkpoint, DamagedCheckpoint, encode
from larnn_service.errors import StartupError

T = TypeVar("T")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS streams (
    id TEXT PRIMARY KEY, fence INTEGER NOT NULL, expires REAL NOT NULL, key TEXT UNIQUE,
    model TEXT NOT NULL, version INTEGER NOT NULL, checkpoint BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS streams_expires ON streams (expires);
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clock (boot TEXT PRIMARY KEY, began REAL NOT NULL) WITHOUT ROWID;
"""
_SECRET = "stream ids"
_HEAD = "SELECT fence, model, version, expires < ? FROM streams WHERE id = ? AND expires > ?"
_ROW = "SELECT fence, model, version, checkpoint FROM streams WHERE id = ? AND expires > ?"
_NAMED = "SELECT id FROM streams WHERE key = ? AND expires > ?"
_NEVER = 2.0**53
"""No time of expiry that was written whole; anything that is no number sorts behind it."""
_PURGED = 256
"""Streams that are erased at a time."""


class SqliteStore:
    """SQLite in its own thread; every write is on the disk before it counts. ttl in seconds.

    Streams expire by a clock that runs from when the machine was started: setting the time of day
    has no part in it, in any process, until the machine is started again.
    """

    survives: Survives = "restart"

    def __init__(self, path: Path, *, ttl: float, timeout: float) -> None:
        self._path = path
        self._ttl = ttl
        self._writer = SqliteWriter(path, _SCHEMA, timeout)
        self._now: Callable[[], float] = BootClock(began())
        self.health = self._writer.health

    def prepare(self) -> None:
        self._begin(self._writer.connect)
        self._now = BootClock(self._begin(lambda: self._writer.now(_keep_clock)))

    def keep_secret(self, fresh: str) -> str:
        return self._begin(lambda: self._writer.now(lambda db: _keep_secret(db, fresh)))

    def _begin(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except (sqlite3.Error, OSError) as error:
            raise StartupError(
                f"LARNN_STORE: {self._path} cannot be used ({error}): "
                "name a file in a folder where the service may write, sqlite:////absolute/path"
            ) from error

    async def create(self, checkpoint: Checkpoint, key: str | None = None) -> Head | str:
        data, fence = encode(checkpoint), next_fence()

        def work(db: sqlite3.Connection) -> Head | str:
            now = self._now()
            if living := db.execute(_NAMED, [key, now]).fetchone():
                return str(living[0])
            db.execute("DELETE FROM streams WHERE key = ?", [key])
            db.execute(
                "INSERT INTO streams VALUES (?, ?, ?, ?, ?, ?, ?)",
                [checkpoint.stream, fence, now + self._ttl, key]
                + [checkpoint.model, checkpoint.version, data],
            )
            return Head(fence, checkpoint.model, checkpoint.version)

        return await self._writer.write(work, adds=len(data))

    async def named(self, key: str) -> str | None:
        def work(db: sqlite3.Connection) -> str | None:
            row = db.execute(_NAMED, [key, self._now()]).fetchone()
            return row and str(row[0])

        return await self._writer.read(work)

    async def head(self, stream: str) -> Head | None:
        def work(db: sqlite3.Connection) -> Any:
            return db.execute(_HEAD, [_NEVER, stream, self._now()]).fetchone()

        if (row := await self._writer.read(work)) is None:
            return None
        fence, model, version, expires = row
        if not expires:
            raise DamagedCheckpoint("its time of expiry is none")
        return rows.head(fence, model, version)

    async def load(self, stream: str) -> Checkpoint | None:
        def work(db: sqlite3.Connection) -> Any:
            return db.execute(_ROW, [stream, self._now()]).fetchone()

        row = await self._writer.read(work)
        return row and rows.checkpoint(stream, *row)

    async def take(self, stream: str) -> Checkpoint | None:
        def work(db: sqlite3.Connection) -> Any:
            now = self._now()
            if (row := db.execute(_ROW, [stream, now]).fetchone()) is None:
                return None
            fence, model, version, checkpoint = row
            fence = next_fence(rows.head(fence, model, version).fence)
            update = "UPDATE streams SET fence = ?, expires = ? WHERE id = ?"
            db.execute(update, [fence, now + self._ttl, stream])
            return fence, model, version, checkpoint

        row = await self._writer.write(work)
        return row and rows.checkpoint(stream, *row)

    async def save(self, checkpoint: Checkpoint) -> Outcome:
        data = encode(checkpoint)

        def work(db: sqlite3.Connection) -> Outcome:
            now = self._now()
            update = "UPDATE streams SET checkpoint = ?, version = ?, expires = ?"
            values = [data, checkpoint.version, now + self._ttl]
            owner = [checkpoint.stream, checkpoint.fence]
            where = "WHERE id = ? AND fence = ? AND expires > ?"
            if db.execute(f"{update} {where}", [*values, *owner, now]).rowcount:
                return "saved"
            query = "SELECT 1 FROM streams WHERE id = ? AND expires > ?"
            return "moved" if db.execute(query, [checkpoint.stream, now]).fetchone() else "gone"

        return await self._writer.write(work, adds=len(data))

    async def delete(self, stream: str) -> bool:
        def work(db: sqlite3.Connection) -> bool:
            query = "SELECT expires > ? FROM streams WHERE id = ?"
            row = db.execute(query, [self._now(), stream]).fetchone()
            db.execute("DELETE FROM streams WHERE id = ?", [stream])
            return row is not None and bool(row[0])

        return await self._writer.write(work)

    async def purge(self) -> None:
        """Each by itself, so that a full disk has room for one after the other."""

        def work(db: sqlite3.Connection) -> list[str]:
            query = f"SELECT id FROM streams WHERE expires <= ? OR expires >= ? LIMIT {_PURGED}"
            return [row[0] for row in db.execute(query, [self._now(), _NEVER])]

        while found := await self._writer.read(work):
            await asyncio.gather(*map(self.delete, found))

    async def close(self) -> None:
        await self._writer.close()


def _keep_secret(db: sqlite3.Connection, secret: str) -> str:
    db.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?)", [_SECRET, secret])
    [kept] = db.execute("SELECT value FROM secrets WHERE name = ?", [_SECRET]).fetchone()
    return str(kept)


def _keep_clock(db: sqlite3.Connection) -> float:
    """When this machine was started, as the first process since then took it to be."""
    name = boot()
    db.execute("DELETE FROM clock WHERE boot != ?", [name])
    db.execute("INSERT OR IGNORE INTO clock VALUES (?, ?)", [name, began()])
    [kept] = db.execute("SELECT began FROM clock WHERE boot = ?", [name]).fetchone()
    return float(kept)
