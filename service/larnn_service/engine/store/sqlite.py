"""A store in one file, for one machine: streams survive a restart without any server."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from larnn_service.engine.store.fences import next_fence
from larnn_service.engine.store.interface import Head, Outcome, Survives
from larnn_service.engine.store.sqlite_writer import SqliteWriter
from larnn_service.engine.streams.checkpoint import Checkpoint, decode, encode
from larnn_service.errors import StartupError

T = TypeVar("T")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS streams (
    id TEXT PRIMARY KEY, fence INTEGER NOT NULL, expires REAL NOT NULL, key TEXT UNIQUE,
    model TEXT NOT NULL, version INTEGER NOT NULL, checkpoint BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS streams_expires ON streams (expires);
CREATE TABLE IF NOT EXISTS secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_SECRET = "stream ids"


class SqliteStore:
    """SQLite in its own thread; every write is on the disk before it counts. ttl in seconds."""

    survives: Survives = "restart"

    def __init__(self, path: Path, *, ttl: float, timeout: float) -> None:
        self._path = path
        self._ttl = ttl
        self._writer = SqliteWriter(path, timeout)

    def prepare(self) -> None:
        self._begin(lambda: self._writer.connect(_SCHEMA))

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
            now = time.time()
            living = db.execute("SELECT id, expires FROM streams WHERE key = ?", [key]).fetchone()
            if living and living[1] > now:
                return str(living[0])
            db.execute("DELETE FROM streams WHERE key = ?", [key])
            db.execute(
                "INSERT INTO streams VALUES (?, ?, ?, ?, ?, ?, ?)",
                [checkpoint.stream, fence, now + self._ttl, key]
                + [checkpoint.model, checkpoint.version, data],
            )
            return Head(fence, checkpoint.model, checkpoint.version)

        return await self._writer.write(work)

    async def named(self, key: str) -> str | None:
        def work(db: sqlite3.Connection) -> str | None:
            query = "SELECT id FROM streams WHERE key = ? AND expires > ?"
            row = db.execute(query, [key, time.time()]).fetchone()
            return row and str(row[0])

        return await self._writer.read(work)

    async def head(self, stream: str) -> Head | None:
        def work(db: sqlite3.Connection) -> Head | None:
            query = "SELECT fence, model, version FROM streams WHERE id = ? AND expires > ?"
            row = db.execute(query, [stream, time.time()]).fetchone()
            return row and Head(*row)

        return await self._writer.read(work)

    async def load(self, stream: str) -> Checkpoint | None:
        def work(db: sqlite3.Connection) -> tuple[bytes, int] | None:
            query = "SELECT checkpoint, fence FROM streams WHERE id = ? AND expires > ?"
            found: tuple[bytes, int] | None = db.execute(query, [stream, time.time()]).fetchone()
            return found

        found = await self._writer.read(work)
        return found and decode(*found)

    async def take(self, stream: str) -> Checkpoint | None:
        def work(db: sqlite3.Connection) -> tuple[bytes, int] | None:
            now = time.time()
            query = "SELECT checkpoint, fence FROM streams WHERE id = ? AND expires > ?"
            if (row := db.execute(query, [stream, now]).fetchone()) is None:
                return None
            fence = next_fence(row[1])
            update = "UPDATE streams SET fence = ?, expires = ? WHERE id = ?"
            db.execute(update, [fence, now + self._ttl, stream])
            return row[0], fence

        found = await self._writer.write(work)
        return found and decode(*found)

    async def save(self, checkpoint: Checkpoint) -> Outcome:
        data = encode(checkpoint)

        def work(db: sqlite3.Connection) -> Outcome:
            now = time.time()
            update = "UPDATE streams SET checkpoint = ?, version = ?, expires = ?"
            values = [data, checkpoint.version, now + self._ttl]
            owner = [checkpoint.stream, checkpoint.fence]
            where = "WHERE id = ? AND fence = ? AND expires > ?"
            if db.execute(f"{update} {where}", [*values, *owner, now]).rowcount:
                return "saved"
            query = "SELECT 1 FROM streams WHERE id = ? AND expires > ?"
            return "moved" if db.execute(query, [checkpoint.stream, now]).fetchone() else "gone"

        return await self._writer.write(work)

    async def delete(self, stream: str) -> None:
        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM streams WHERE id = ?", [stream])

        await self._writer.write(work)

    async def purge(self) -> None:
        def work(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM streams WHERE expires <= ?", [time.time()])

        await self._writer.write(work)

    async def close(self) -> None:
        await self._writer.close()


def _keep_secret(db: sqlite3.Connection, secret: str) -> str:
    db.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?)", [_SECRET, secret])
    [kept] = db.execute("SELECT value FROM secrets WHERE name = ?", [_SECRET]).fetchone()
    return str(kept)
