"""Ends runs that take too long, from a thread of its own: the event loop may be what runs."""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import Protocol

logger = logging.getLogger(__name__)

LOOK = 0.5
"""Seconds between two looks."""


class Endable(Protocol):
    """The options of one run."""

    terminate: bool
    """Set, it ends before its next node."""


class Watchdog:
    """One thread for all runs of a process, from the first one that has a limit."""

    def __init__(self) -> None:
        self._due: dict[Endable, float] = {}
        """By the monotonic clock; whoever takes a run out of it has ended it."""
        self._starting = threading.Lock()
        self._started = False

    def begin(self, run: Endable, within: float) -> None:
        """Let it take so many seconds, or infinitely many."""
        self._due[run] = time.monotonic() + within
        if not self._started and within < math.inf:
            self._start()

    def end(self, run: Endable) -> None:
        """It is over."""
        self._due.pop(run, None)

    def _start(self) -> None:
        with self._starting:
            if not self._started:
                self._started = True
                threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK)
            now = time.monotonic()
            for run, due in self._due.copy().items():
                if due < now and self._due.pop(run, None) is not None:
                    logger.error("a run is ended: it has taken too long")
                    run.terminate = True
