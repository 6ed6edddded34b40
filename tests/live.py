"""The real service for tests: in a thread of this process, or as a process of its own."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from larnn_service.process.server import Server
from larnn_service.settings import Settings

ROOT = Path(__file__).parent.parent
PACKAGES = [str(ROOT / folder) for folder in ("service", "export", "cli", "client/src")]
"""Where the packages are."""


@contextlib.contextmanager
def running(**settings: Any) -> Iterator[str]:
    """The service in a thread; its base URL, once it is ready. Drained at the end."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = Server(Settings(**settings))
        ready = threading.Event()
        server.when_ready = ready.set
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert ready.wait(300), "the service did not come up"
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.stop_from_elsewhere()
            thread.join(120)
            assert not thread.is_alive(), "the service did not stop"


@dataclass
class Process:
    """The service as `python -m service` starts it."""

    url: str
    popen: subprocess.Popen[str]
    grpc: str = ""
    """Where it takes gRPC, if it does."""
    metrics: str = ""
    """Where its metrics are, if they have a port of their own."""
    log: list[str] = field(default_factory=list)
    """Its lines until it was ready."""

    def stop(self) -> int:
        """SIGTERM, and the exit status once it has drained."""
        self.popen.terminate()
        return self.popen.wait(120)

    def kill(self) -> None:
        """SIGKILL: nothing is written or said any more."""
        self.popen.kill()
        self.popen.wait(120)


@contextlib.contextmanager
def process(program: str = "service", /, **settings: Any) -> Iterator[Process]:
    """`python -m service`, or another module and its arguments, on a free port, ready.

    Terminated at the end.
    """
    command = [sys.executable, "-m", *program.split()]
    with started(command, os.environ | environment(**{"port": 0} | settings), ROOT) as service:
        yield service


@contextlib.contextmanager
def started(command: list[str], variables: Mapping[str, str], folder: Path) -> Iterator[Process]:
    """A command that serves, with these variables alone and in this folder, ready.

    Terminated at the end.
    """
    popen = subprocess.Popen(command, env=variables, cwd=folder, stderr=subprocess.PIPE, text=True)
    assert popen.stderr is not None
    log: list[str] = []
    grpc = metrics = ""
    try:
        for line in popen.stderr:
            log.append(line)
            if match := re.search(r"gRPC on ([^\s\"]+)", line):
                grpc = match[1]
            if match := re.search(r"metrics on ([^\s\"]+)", line):
                metrics = f"http://{match[1]}"
            if match := re.search(r"running on (https?://[^\s\"]+)", line):
                yield Process(match[1], popen, grpc, metrics, log)
                break
        else:
            raise AssertionError("the service did not come up:\n" + "".join(log))
    finally:
        popen.terminate()
        popen.wait(120)
        popen.stderr.close()


def environment(**settings: Any) -> dict[str, str]:
    """Settings as environment variables."""
    return {f"LARNN_{name.upper()}": str(value) for name, value in settings.items()}


def websocket_url(url: str) -> str:
    """Where the base URL's service takes streams."""
    return url.replace("http", "ws", 1) + "/stream"
