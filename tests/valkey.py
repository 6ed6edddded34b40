"""A real Valkey or Redis server for tests, a process of its own on a free port."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PROGRAM = shutil.which("valkey-server") or shutil.which("redis-server")


@dataclass
class Server:
    """Every write is on the disk before it is answered, as the cluster has it."""

    folder: Path
    port: int = field(default_factory=lambda: free_port())
    popen: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Until it accepts connections."""
        assert PROGRAM is not None
        settings = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "save": ""}
        settings |= {"appendonly": "yes", "appendfsync": "always"}
        arguments = [str(word) for name, value in settings.items() for word in (f"--{name}", value)]
        self.popen = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.PIPE, text=True)
        assert self.popen.stdout is not None
        log = []
        for line in self.popen.stdout:
            log.append(line)
            if "eady to accept connections" in line:
                return
        raise AssertionError("the server did not come up:\n" + "".join(log))

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """It keeps its connections and answers nothing."""
        assert self.popen is not None
        self.popen.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.popen.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL: what it did not write is lost."""
        if self.popen is not None:
            assert self.popen.stdout is not None
            self.popen.kill()
            self.popen.wait(60)
            self.popen.stdout.close()
            self.popen = None


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
