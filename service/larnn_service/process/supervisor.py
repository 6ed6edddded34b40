"""The process that starts the workers, replaces them, and passes signals on."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable

from larnn_service.process.heartbeat import Heartbeats

logger = logging.getLogger(__name__)

LOADED = signal.SIGUSR1
"""From a worker to its parent: it could listen now."""
LISTENS = getattr(signal, "SIGRTMIN", signal.SIGUSR2)  # elsewhere than on Linux there is none
"""And: it does. Several may at once, and of these signals none is lost."""
ENDING = {signal.SIGTERM, signal.SIGINT}
HEARD = {signal.SIGCHLD, signal.SIGHUP, LOADED, LISTENS, *ENDING}
PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds until another takes the place of a worker that has ended; twice as many each time that it
does not come to listen."""


class Parent:
    """The process that starts the workers. It holds one end of two pipes: they listen when the one
    closes, and end when the other does."""

    def __init__(self, workers: int, address: str, timeout: float, patience: float) -> None:
        """`timeout`: seconds for which a worker may be silent. `patience`: those after which one
        that was asked to end is ended."""
        self._workers, self._address = workers, address
        self.heartbeats = Heartbeats(workers, timeout)
        self._patience, self._ended_by = patience, math.inf
        self._missing = list(range(workers))
        self._running: dict[int, int] = {}
        """By process id the worker's number."""
        self._starting: int | None = None
        self._listening: set[int] = set()
        self._not_before, self._pause = 0.0, PAUSE
        self._open = self._served = self._ending = False
        self._status = 0
        self.process = os.getpid()
        self._life, self._life_here = os.pipe()
        self.gate, self._gate_here = os.pipe()

    def watch(self) -> int:
        """In a worker its number; the parent exits."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)
        while True:
            if self._may_start() and (number := self._start()) is not None:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
                return number
            if self._ending and not self._running:
                sys.exit(self._status)
            heard = signal.sigtimedwait(HEARD, self._until_next_look())
            if heard is not None:
                self._hear(signal.Signals(heard.si_signo), heard.si_pid)
            self._look()

    def _until_next_look(self) -> float:
        late = max(self._ended_by - time.monotonic(), 0)
        return min(PAUSE, self.heartbeats.until_next_look(), late)

    def _look(self) -> None:
        """Kill the workers that hang, and all that have not ended in time."""
        silent = self.heartbeats.silent()
        if hang := {process for process, number in self._running.items() if number in silent}:
            self._kill(hang, "give no sign of life")
        if time.monotonic() >= self._ended_by:
            self._ended_by = math.inf
            self._kill(self._running, "have not ended in time")

    def _kill(self, processes: Iterable[int], why: str) -> None:
        """Even where they are stopped."""
        logger.error("processes %s, and are killed: %s", why, ", ".join(map(str, processes)))
        self._tell(processes, signal.SIGKILL)
        self._status = int(self._ending)

    def _may_start(self) -> bool:
        waits = self._starting is not None or time.monotonic() < self._not_before
        return bool(self._missing) and not waits and not self._ending

    def _start(self) -> int | None:
        number = self._missing.pop(0)
        try:
            process = os.fork()
        except OSError as error:
            logger.error("worker %d does not start: %s", number, error.strerror)
            self._miss(number)
            return None
        if process == 0:
            self._become_worker()
            self.heartbeats.begin(number)
            return number
        self.heartbeats.forget(number)
        self._running[process] = number
        self._starting = process
        return None

    def _miss(self, number: int) -> None:
        self._missing.append(number)
        self._not_before = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _become_worker(self) -> None:
        os.setpgid(0, 0)  # a terminal interrupts the parent alone, which asks for a drain
        os.close(self._life_here)
        if not self._open:
            os.close(self._gate_here)
        threading.Thread(target=_end_with, args=[self._life], daemon=True).start()

    def _hear(self, number: signal.Signals, sender: int) -> None:
        """Act on a signal, of a worker or of whoever ends or reloads the service."""
        if number == LOADED and sender == self._starting:
            self._starting = None
            if not self._missing:
                self._open_gate()
        elif number == LISTENS and sender in self._running:
            self._listens(sender)
        elif number == signal.SIGHUP:
            self._tell(self._running, signal.SIGHUP)
        elif number in ENDING:
            self._end()
        elif number == signal.SIGCHLD:
            self._reap()

    def _listens(self, worker: int) -> None:
        """A worker has begun to listen."""
        self._listening.add(worker)
        self._served, self._pause = True, PAUSE
        if len(self._listening) == self._workers:
            logger.info("%d processes running on %s", self._workers, self._address)

    def _end(self) -> None:
        """Let all workers drain. The gate opens too, since a worker may have missed the signal just
        before it began to wait there."""
        if not self._ending:
            self._ended_by = time.monotonic() + self._patience
        self._ending = True
        self._tell(self._running, signal.SIGTERM)
        self._open_gate()

    def _open_gate(self) -> None:
        if not self._open:
            self._open = True
            os.close(self._gate_here)

    def _tell(self, processes: Iterable[int], number: signal.Signals) -> None:
        for process in processes:
            os.kill(process, number)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                process, status = os.waitpid(-1, os.WNOHANG)
                if not process:
                    return
                if (number := self._running.pop(process, None)) is None:
                    continue  # of process 1 all orphans become children
                self._listening.discard(process)
                if process == self._starting:
                    self._starting = None
                if not self._ending:
                    self._lost(number, os.waitstatus_to_exitcode(status))

    def _lost(self, number: int, status: int) -> None:
        """The end of a worker, unasked for. Before any has listened it ends all, by the pipe."""
        if not self._served:
            if status < 0:  # else it has said why
                logger.error("worker %d was ended by signal %d as it started", number, -status)
            sys.exit(max(status, 1))
        logger.error("worker %d has ended (%d); another starts", number, status)
        self._miss(number)


def _end_with(pipe: int) -> None:
    """Whoever kills the parent leaves no worker behind."""
    os.read(pipe, 1)
    os.kill(os.getpid(), signal.SIGTERM)
