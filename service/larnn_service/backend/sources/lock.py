"""One at a time works in a folder, whether process or thread."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from larnn_service.errors import StartupError

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
                        f"{folder}: another process fetches there and does not come to an end; "
                        "end it, or give this one a LARNN_MODELS_CACHE of its own"
                    ) from None
                time.sleep(PAUSE)
        yield
