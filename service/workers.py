"""Several processes of the service on one port: each a replica, with an interpreter of its own.

The parent holds the port and serves nobody. It starts one worker after the other, lets them listen
together, starts another in the place of one that has ended, and passes signals on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from service.errors import StartupError
from service.settings import Settings
from service.telemetry import logs

logger = logging.getLogger(__name__)

LOADED = signal.SIGUSR1
"""From a worker to its parent: it could listen now."""
LISTENS = signal.SIGRTMIN
"""And: it does. Several may at once, and of these signals none is lost."""
ENDING = {signal.SIGTERM, signal.SIGINT}
HEARD = {signal.SIGCHLD, signal.SIGHUP, LOADED, LISTENS, *ENDING}
PAUSE = 1.0
"""Seconds until another takes the place of a worker that has ended."""


@dataclass(frozen=True)
class Worker:
    """What this process is."""

    settings: Settings
    number: int
    """From 0."""
    gate: int
    """A pipe that the parent closes when all are ready."""

    def sockets(self) -> list[socket.socket]:
        """At the port of all, and at its own where there is one. Raises StartupError."""
        settings = self.settings
        sockets = [bound(settings.host, settings.port, shared=True)]
        if settings.worker_port is not None:
            sockets.append(bound(settings.host, settings.worker_port + self.number, shared=False))
        return sockets

    def wait_for_the_others(self) -> None:
        """Who listened first would have all the connections that come early."""
        os.kill(os.getppid(), LOADED)
        os.read(self.gate, 1)

    def tell_listening(self) -> None:
        os.kill(os.getppid(), LISTENS)


def started(settings: Settings) -> Worker:
    """Start the workers. Returns in each of them; the parent stays, and exits once they have ended.

    Raises StartupError where they cannot go together.
    """
    check(settings)
    logs.configure(settings.log_level, settings.log_format)
    if settings.port:  # or it would be shared with whoever listens there
        bound(settings.host, settings.port, shared=False).close()
    held = bound(settings.host, settings.port, shared=True)
    host, port = held.getsockname()[:2]
    changes: dict[str, object] = {"port": port}
    if "concurrency" not in settings.model_fields_set:
        changes["concurrency"] = max(settings.concurrency // settings.workers, 1)
    settings = settings.model_copy(update=changes)
    scheme = "http" if settings.tls_cert is None else "https"
    place = f"[{host}]" if ":" in host else host
    parent = Parent(settings.workers, f"{scheme}://{place}:{port}")
    number = parent.watch()
    held.close()
    return Worker(settings, number, parent.gate)


def check(settings: Settings) -> None:
    """Raises StartupError where the settings are not for several processes."""
    if settings.store == "memory":
        raise StartupError(
            f"LARNN_WORKERS={settings.workers} need a store that they share, since a stream may "
            "come back to any of them: LARNN_STORE=sqlite:////absolute/path or redis://host:port/0"
        )
    if settings.grpc_port is not None:
        raise StartupError("LARNN_GRPC_PORT is for one process: leave out LARNN_WORKERS")
    if not hasattr(signal, "sigtimedwait"):
        raise StartupError("LARNN_WORKERS is for Linux: start one process here")


def bound(host: str, port: int, shared: bool) -> socket.socket:
    """A socket at this address, which does not listen yet. Raises StartupError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    own = socket.socket(family, socket.SOCK_STREAM)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        own.bind((host, port))
    except OSError as error:
        own.close()
        raise StartupError(f"{host}:{port} cannot be listened on: {error.strerror}") from None
    return own


class Parent:
    """The process that starts the workers. It holds one end of two pipes: they listen when the one
    closes, and end when the other does."""

    def __init__(self, workers: int, address: str) -> None:
        self._workers, self._address = workers, address
        self._missing = list(range(workers))
        self._running: dict[int, int] = {}
        """By process id the worker's number."""
        self._starting: int | None = None
        self._listening: set[int] = set()
        self._reload_late: set[int] = set()
        """Those that were to reload before they could hear of it."""
        self._not_before = 0.0
        self._open = self._ending = False
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
                sys.exit(0)
            heard = signal.sigtimedwait(HEARD, PAUSE)
            if heard is not None:
                self._hear(signal.Signals(heard.si_signo), heard.si_pid)

    def _may_start(self) -> bool:
        waits = self._starting is not None or time.monotonic() < self._not_before
        return bool(self._missing) and not waits and not self._ending

    def _start(self) -> int | None:
        number = self._missing.pop(0)
        if (process := os.fork()) == 0:
            self._become_worker()
            return number
        self._running[process] = number
        self._starting = process
        return None

    def _become_worker(self) -> None:
        os.setpgid(0, 0)  # a terminal interrupts the parent alone, which asks for a drain
        os.close(self._life_here)
        if not self._open:
            os.close(self._gate_here)
        threading.Thread(target=_end_with, args=[self._life], daemon=True).start()

    def _hear(self, number: signal.Signals, sender: int) -> None:
        if number == LOADED and sender == self._starting:
            self._starting = None
            if not self._missing and not self._open:
                self._open = True
                os.close(self._gate_here)
        elif number == LISTENS and sender in self._running:
            self._listening.add(sender)
            if sender in self._reload_late:
                os.kill(sender, signal.SIGHUP)
            if len(self._listening) == self._workers:
                logger.info("%d processes running on %s", self._workers, self._address)
        elif number == signal.SIGHUP:
            self._reload_late = self._running.keys() - self._listening
            self._tell(self._listening, signal.SIGHUP)
        elif number in ENDING:
            self._ending = True
            self._tell(self._running, signal.SIGTERM)
        elif number == signal.SIGCHLD:
            self._reap()

    def _tell(self, processes: Iterable[int], number: signal.Signals) -> None:
        for process in processes:
            os.kill(process, number)

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while True:
                process, status = os.waitpid(-1, os.WNOHANG)
                if not process:
                    return
                number = self._running.pop(process)
                self._listening.discard(process)
                if process == self._starting:
                    self._starting = None
                    if not self._open and not self._ending:  # it has said why
                        self._give_up(status)
                if not self._ending:
                    how = os.waitstatus_to_exitcode(status)
                    logger.error("worker %d has ended (%d); another starts", number, how)
                    self._missing.append(number)
                    self._not_before = time.monotonic() + PAUSE

    def _give_up(self, status: int) -> NoReturn:
        """The others end with the pipe."""
        sys.exit(max(os.waitstatus_to_exitcode(status), 1))


def _end_with(pipe: int) -> None:
    """Whoever kills the parent leaves no worker behind."""
    os.read(pipe, 1)
    os.kill(os.getpid(), signal.SIGTERM)
