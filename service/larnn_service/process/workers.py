"""Several processes of the service on one port: each a replica, with an interpreter of its own.

The parent holds the port and serves nobody. It starts one worker after the other, lets them listen
together, starts another in the place of one that has ended, and passes signals on.
"""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass

from larnn_service.errors import StartupError
from larnn_service.process.ending import PATIENCE
from larnn_service.process.heartbeat import Heartbeats
from larnn_service.process.sockets import bound, locked
from larnn_service.process.supervisor import LISTENS, LOADED, Parent
from larnn_service.settings import Settings

LAST_PORT = 65_535


@dataclass(frozen=True)
class Worker:
    """What this process is."""

    settings: Settings
    number: int
    """From 0."""
    gate: int
    """A pipe that the parent closes when all are ready."""
    parent: int
    heartbeats: Heartbeats

    def sockets(self) -> list[socket.socket]:
        """At the port of all, and at its own where there is one. Raises StartupError."""
        settings = self.settings
        sockets = [bound(settings.host, settings.port, shared=True)]
        if settings.worker_port is not None:
            sockets.append(bound(settings.host, settings.worker_port + self.number, shared=False))
        return sockets

    def wait_for_the_others(self) -> None:
        """Who listened first would have all the connections that come early."""
        self._tell(LOADED)
        os.read(self.gate, 1)
        self._tell(0)

    def tell_listening(self) -> None:
        """In the event loop."""
        self.heartbeats.go_on(self.number)
        self._tell(LISTENS)

    def _tell(self, number: int) -> None:
        if os.getppid() != self.parent:  # it was killed, and what it held is closed
            sys.exit(0)
        os.kill(self.parent, number)


def started(settings: Settings) -> Worker:
    """Start the workers. Returns in each of them; the parent stays, and exits once they have ended.

    Raises StartupError where they cannot go together.
    """
    check(settings)
    if settings.port:  # or it would be shared with whoever listens there
        bound(settings.host, settings.port, shared=False).close()
    held = bound(settings.host, settings.port, shared=True)
    host, port = held.getsockname()[:2]
    lock = locked(host, port)
    changes: dict[str, object] = {"port": port}
    if "concurrency" not in settings.model_fields_set:
        changes["concurrency"] = max(settings.concurrency // settings.workers, 1)
    settings = settings.model_copy(update=changes)
    scheme = "http" if settings.tls_cert is None else "https"
    place = f"[{host}]" if ":" in host else host
    address = f"{scheme}://{place}:{port}"
    patience = settings.drain_delay + PATIENCE * settings.drain_timeout
    parent = Parent(settings.workers, address, settings.worker_timeout, patience)
    number = parent.watch()
    held.close()
    lock.close()
    if settings.metrics_port:
        settings = settings.model_copy(update={"metrics_port": settings.metrics_port + number})
    return Worker(settings, number, parent.gate, parent.process, parent.heartbeats)


def check(settings: Settings) -> None:
    """Raises StartupError where the settings are not for several processes."""
    if settings.workers == 1:
        raise StartupError("LARNN_WORKER_PORT is for several processes: set LARNN_WORKERS too")
    if settings.store == "memory":
        raise StartupError(
            f"LARNN_WORKERS={settings.workers} need a store that they share, since a stream may "
            "come back to any of them: LARNN_STORE=sqlite:////absolute/path or redis://host:port/0"
        )
    if settings.grpc_port is not None:
        raise StartupError("LARNN_GRPC_PORT is for one process: leave out LARNN_WORKERS")
    taken = {settings.port}
    for name, first in (("WORKER", settings.worker_port), ("METRICS", settings.metrics_port)):
        own = set(range(first, first + settings.workers)) if first else set()
        if taken & own or max(own, default=0) > LAST_PORT:
            raise StartupError(
                f"LARNN_{name}_PORT={first}: the {settings.workers} ports from there on must "
                f"exist, and LARNN_PORT={settings.port} and others' must not be among them"
            )
        taken |= own
