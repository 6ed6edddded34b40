"""A real Valkey or Redis server for tests, a process of its own on a free port."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from benchmarks.server import free_port
from tests.until import until as ask_until

PROGRAM = shutil.which("valkey-server") or shutil.which("redis-server")
SAFE = {"appendonly": "yes", "appendfsync": "always", "save": '""'}
"""Every write is on the disk before it is answered, as the cluster has it."""


@dataclass
class Server:
    """One server, or one Sentinel."""

    folder: Path
    options: dict[str, Any] = field(default_factory=lambda: dict(SAFE))
    sentinel: bool = False
    port: int = field(default_factory=free_port)
    popen: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Until it answers."""
        assert PROGRAM is not None
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "server.conf"
        lines = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder} | self.options
        file.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        command = [PROGRAM, str(file), *(["--sentinel"] if self.sentinel else [])]
        with (self.folder / "log").open("ab") as log:
            self.popen = subprocess.Popen(command, stdout=log, stderr=log)
        until(self._answers, f"{file} does not come up")

    def _answers(self) -> bool:
        assert self.popen is not None and self.popen.poll() is None, "it has ended"
        with self.client() as client:
            return bool(client.ping())

    def client(self) -> redis.Redis:
        return redis.Redis("127.0.0.1", self.port, socket_timeout=5)

    def kill(self) -> None:
        """SIGKILL: what it did not write is lost."""
        if self.popen is not None:
            self.popen.kill()
            self.popen.wait(60)
            self.popen = None

    @property
    def runs(self) -> bool:
        return self.popen is not None

    def ask(self, *words: str | int) -> Any:
        """What it answers to a command."""
        with self.client() as client:
            return client.execute_command(*words)

    def is_up_to_date(self) -> bool:
        """Whether this is a replica that has its primary's data, and follows it."""
        with self.client() as client:
            return bool(client.info("replication").get("master_link_status") == "up")

    def follows(self, primary: Server) -> bool:
        """Whether this is a replica of that server."""
        role = self.ask("ROLE") if self.runs else [b""]
        return role[0] == b"slave" and int(role[2]) == primary.port

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """It keeps its connections and answers nothing."""
        assert self.popen is not None
        self.popen.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.popen.send_signal(signal.SIGCONT)


def until(holds: Callable[[], bool], otherwise: str) -> None:
    """Ask until it does; a server that does not answer is asked again."""

    def asked() -> bool:
        with contextlib.suppress(redis.RedisError):
            return holds()
        return False

    ask_until(asked, otherwise)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Server]:
    """A server until the end of the block."""
    server = Server(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
