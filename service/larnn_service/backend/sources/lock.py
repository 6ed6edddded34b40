"""One at a time works in a folder, whether process or thread; and who uses it."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from larnn_service.errors import StartupError

try:
    import fcntl
except ImportError as error:  # Windows
    raise StartupError("models are fetched on Linux and macOS: name a folder here") from error

PAUSE = 0.1
"""Seconds between two tries."""


@contextmanager
def alone(folder: Path, until: float) -> Iterator[None]:
    """Nobody else has the folder's lock meanwhile. The system takes it from who is killed.

    Raises StartupError where another has it `until` then, a time of the monotonic clock.
    """
    with open(folder / ".lock", "w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise StartupError(
                        f"{folder}: another fetch there does not come to an end; end the process "
                        "that makes it, or give this one a LARNN_MODELS_CACHE of its own"
                    ) from None
                time.sleep(PAUSE)
        yield


class User:
    """One of those who use a folder, from now until it is gone, or killed."""

    def __init__(self, folder: Path) -> None:
        """Within `alone`, so that it need not wait."""
        self._file = os.open(folder / ".users", os.O_RDWR | os.O_CREAT, 0o644)
        self.leave = weakref.finalize(self, os.close, self._file)
        """Use it no more."""
        fcntl.flock(self._file, fcntl.LOCK_SH)

    @contextmanager
    def only(self) -> Iterator[bool]:
        """Whether it is the only one; then nobody else becomes one meanwhile. Within `alone`."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            only = False
        else:
            only = True
        try:
            yield only
        finally:
            fcntl.flock(self._file, fcntl.LOCK_SH)  # a try may have lost it
