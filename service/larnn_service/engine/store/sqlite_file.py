"""The file that SQLite writes, and what lets it erase when the disk is full."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from larnn_service.engine.store.reserve import Reserve

_LOG = 4 * 2**20
"""Bytes that the log has before they are put in the file, and those of one transaction, about."""
_PASSING = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY}
"""What ends while a connection stays."""


class NoRoom(sqlite3.OperationalError):
    """As SQLite says it, before it has to."""

    def __init__(self) -> None:
        super().__init__("database or disk is full")


class SqliteFile:
    """A connection, for one thread, and the reserve.

    Every write goes to a log, the file `-wal`, first, and later from there to the file. So erasing
    takes room: in the log, and in the file for what the log still holds. The reserve is twice what
    that may be. Once it had to be released, nothing may make the file larger until the disk has
    room again, or the file has free pages inside of rows that were erased: the file never shrinks.
    """

    db: sqlite3.Connection
    together = _LOG
    """Bytes in one transaction, beyond which the next has the rest."""

    def __init__(self, path: Path, schema: str, timeout: float) -> None:
        """`timeout`: seconds for which another process may have it while it is opened."""
        self._path, self._schema, self._timeout = path, schema, timeout
        self._reserve = Reserve(path.with_name(f"{path.name}-reserve"))

    def create(self) -> None:
        """Open the file, made where there is none. Raises sqlite3.Error, OSError."""
        self._path.touch(mode=0o600)  # the secret is inside
        try:
            self._open()
        except sqlite3.Error:  # a full disk has no room for what an open file takes beside it
            self._reserve.release()
            self._open()

    def check_room(self) -> None:
        """Raises NoRoom where the file must not grow and has few free pages."""
        if not self._reserve.is_whole and self._is_packed():
            raise NoRoom

    def make_room(self) -> None:
        """Release the reserve, and empty the log into the file. Raises sqlite3.Error."""
        self._reserve.release()
        self.db.execute("PRAGMA wal_checkpoint").fetchone()

    def mend(self) -> None:
        """Hold the reserve again where the disk has room; replace a connection that is of no use.

        So a file that was put back in its place is found. Raises sqlite3.Error.
        """
        self._reserve.hold()
        try:
            self.db.execute("SELECT 1 FROM streams").fetchone()
        except sqlite3.Error as error:
            if error_code(error) not in _PASSING:
                self.db.close()
                self._open()

    def probe(self, db: sqlite3.Connection) -> None:
        """Write something small where there is room for more. Raises sqlite3.Error."""
        if not self._reserve.has_spare and self._is_packed():
            raise NoRoom
        db.execute("UPDATE clock SET began = began")

    def close(self) -> None:
        """Put the log in the file; what that frees is kept to open it again."""
        self.db.close()
        self._reserve.hold()

    def _open(self) -> None:
        """Raises sqlite3.Error, also where there is no file: a new one would have no streams."""
        address = f"{self._path.absolute().as_uri()}?mode=rw"
        self.db = sqlite3.connect(address, self._timeout, isolation_level=None, uri=True)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.execute("PRAGMA secure_delete = ON")
        self.db.executescript(self._schema)
        self._reserve.hold()
        self.together = min(_LOG, self._reserve.size // 4) or _LOG
        self.db.execute(f"PRAGMA wal_autocheckpoint = {self.together // self._page()}")
        self.db.execute(f"PRAGMA journal_size_limit = {2 * self.together}")
        self.db.execute("PRAGMA busy_timeout = 0")  # from here on `SqliteWriter` waits

    def _is_packed(self) -> bool:
        """Whether fewer of its pages are free than a quarter of the reserve."""
        [free] = self.db.execute("PRAGMA freelist_count").fetchone()
        return bool(free * self._page() < self._reserve.size // 4)

    def _page(self) -> int:
        """Bytes of a page."""
        [size] = self.db.execute("PRAGMA page_size").fetchone()
        return int(size)


def error_code(error: Exception) -> int:
    """SQLite's code, without what extends it; 0 of an error that is not SQLite's own."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
