"""The cluster as processes of this machine: gateway, replicas and store, and what befalls them."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.server import Server, cpu_seconds, free_port, running
from tests import gateway
from tests.faults.kill import stores


@dataclass
class Replica:
    """One process of the service on a port that it keeps when it is started again."""

    environment: dict[str, str]
    program: str = "service"
    port: int = field(default_factory=free_port)
    _running: ExitStack = field(default_factory=ExitStack)
    _server: Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Until it is ready. Raises ServerError."""
        command = [sys.executable, "-m", self.program]
        environment = self.environment | {"LARNN_PORT": str(self.port)}
        self._server = self._running.enter_context(
            running(command, self.port, "/readyz", environment)
        )

    def send(self, number: signal.Signals) -> None:
        assert self._server is not None
        os.kill(self._server.pid, number)

    @property
    def cpu_seconds(self) -> float:
        """That it has used since it was started."""
        assert self._server is not None
        return cpu_seconds(self._server.pid)

    def kill(self) -> None:
        """SIGKILL, if it runs: nothing is written or said any more."""
        if self._server is not None:
            self.send(signal.SIGKILL)
            self._server = None
            self._running.close()

    def end(self) -> None:
        self._server = None
        self._running.close()


@dataclass(frozen=True)
class Cluster:
    """Where clients go, and what can be killed."""

    url: str
    replicas: list[Replica]
    """The one killed last stands last: the streams are at the others."""
    store: stores.Store
    spares: list[Replica] = field(default_factory=list)
    """The gateway knows them, and nobody has started them."""


@contextlib.contextmanager
def cluster(
    replicas: int,
    environment: dict[str, str],
    program: str = "service",
    store: stores.Kind = "server",
    spare: int = 0,
    balance: str = "",
) -> Iterator[Cluster]:
    """So many replicas behind nginx, on one store; `balance` as an upstream of nginx has it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        shared = stack.enter_context(stores.running(store, folder))
        environment = environment | {"LARNN_STORE": shared.url}
        every = [Replica(environment, program) for _ in range(replicas + spare)]
        for replica in every:
            stack.callback(replica.end)
        some, spares = every[:replicas], every[replicas:]
        for replica in some:
            replica.start()
        also = [("upstream replicas {", f"upstream replicas {{ {balance}")]
        urls = [replica.url for replica in every]
        url = stack.enter_context(gateway.running(folder, urls, also=also))
        yield Cluster(url, some, shared, spares)
