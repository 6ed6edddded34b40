"""What a bridge to MQTT has taken from the broker and is not through with, in a file: SQLite."""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from larnn_cli.bridge.records import Place, Record
from larnn_export.data import DataError

UNACKNOWLEDGED = 200
"""Messages that the broker may send before their acknowledgements."""
REMEMBERED = 4 * UNACKNOWLEDGED
"""Messages after which a packet's id is another message's; a broker may send a few too many."""
_TABLES = """
CREATE TABLE IF NOT EXISTS messages (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS packets (
    id INTEGER PRIMARY KEY, digest BLOB NOT NULL, number INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS packets_by_number ON packets (number);
CREATE TABLE IF NOT EXISTS client (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS places (
    key BLOB PRIMARY KEY, stream TEXT, position INTEGER NOT NULL, number INTEGER NOT NULL,
    sequence INTEGER);
CREATE TABLE IF NOT EXISTS answered (key BLOB PRIMARY KEY, number INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as the broker delivered it."""

    packet: int
    """The packet's id, by which it is acknowledged; 0 of QoS 0, which is not."""
    again: bool
    """Whether the broker says that it may have sent it before: DUP."""
    topic: str
    payload: bytes
    connection: int = 0
    """Which of the session's, by which alone it may be acknowledged."""

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.topic.encode() + b"\0" + self.payload).digest()


class Journal:
    """The messages, numbered from 1 and never twice. Threads may share it.

    What a method has written is on the disk when it returns. Raises sqlite3.Error.
    """

    def __init__(self, path: Path) -> None:
        """A new file is its owner's alone. Raises OSError, and DataError where another bridge has
        it."""
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._lock = threading.Lock()
        self._file = sqlite3.connect(path, timeout=0, check_same_thread=False, isolation_level=None)
        try:
            self._file.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = FULL")
            self._file.executescript(_TABLES)
        except sqlite3.Error as error:
            self._file.close()
            if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_BUSY:
                raise
            raise DataError(f"another bridge has {path}: name another --journal") from error

    def close(self) -> None:
        """Let another process have the file."""
        with self._lock:
            self._file.close()

    def client_id(self) -> str:
        """Of this journal's session at the broker, and of no other: drawn once."""
        with self._lock, self._file:
            drawn = f"larnn-{secrets.token_hex(8)}"
            self._file.execute(
                "INSERT INTO client SELECT ? WHERE NOT EXISTS (SELECT id FROM client)", [drawn]
            )
            [found] = self._file.execute("SELECT id FROM client").fetchone()
        return str(found)

    def write(self, deliveries: Iterable[Delivery]) -> list[Record]:
        """Keep messages; those that are new. One that comes again with the packet id and the bytes
        with which it came last is not: its acknowledgement was lost. After more messages than may
        be unacknowledged the broker has had it, and the id is another message's."""
        new: list[Record] = []
        with self._lock, self._file:
            self._file.execute("BEGIN")
            for each in deliveries:
                if each.again and self._known(each):
                    continue
                key = each.topic.encode()
                added = self._file.execute(
                    "INSERT INTO messages (key, payload) VALUES (?, ?)", [key, each.payload]
                )
                assert added.lastrowid is not None
                if each.packet:
                    self._file.execute(
                        "INSERT OR REPLACE INTO packets VALUES (?, ?, ?)",
                        [each.packet, each.digest, added.lastrowid],
                    )
                new.append(Record(added.lastrowid, key, each.payload))
        return new

    def _known(self, delivery: Delivery) -> bool:
        found = self._file.execute(
            "SELECT number FROM packets WHERE id = ? AND digest = ?",
            [delivery.packet, delivery.digest],
        ).fetchone()
        if found is None:
            return False
        newest = "SELECT number FROM packets ORDER BY number DESC LIMIT 1 OFFSET ?"
        forgotten = self._file.execute(newest, [REMEMBERED]).fetchone()
        return forgotten is None or bool(found[0] > forgotten[0])

    def new_session(self) -> None:
        """The broker has begun a session: the packet ids of the last one say nothing any more."""
        with self._lock, self._file:
            self._file.execute("DELETE FROM packets")

    def answered(self, records: Sequence[Record]) -> None:
        """The broker has the answers to these."""
        with self._lock, self._file:
            self._file.execute("BEGIN")
            self._file.executemany(
                "INSERT OR REPLACE INTO answered VALUES (?, ?)",
                [(record.key, record.offset) for record in records],
            )

    def settle(self, places: Mapping[bytes, Place], before: int) -> None:
        """Keys have come so far; messages before that number are durable and answered."""
        with self._lock, self._file:
            self._file.execute("BEGIN")
            self._file.executemany(
                "INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?, ?)",
                [
                    (key, place.stream, place.position, place.offset, place.sequence)
                    for key, place in places.items()
                ],
            )
            self._file.execute("DELETE FROM messages WHERE number < ?", [before])

    def recover(self) -> tuple[dict[bytes, Place], dict[bytes, int], list[Record]]:
        """Places and last answered numbers by key, and the messages to run again."""
        with self._lock:
            ask = self._file.execute
            places = ask("SELECT key, stream, position, number, sequence FROM places")
            answered = ask("SELECT key, number FROM answered")
            messages = ask("SELECT number, key, payload FROM messages ORDER BY number")
            return (
                {key: Place(*place) for key, *place in places},
                dict(answered),
                [Record(*message) for message in messages],
            )
