"""A server as a process of its own: start it, wait until it is ready, read its CPU time, end it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from larnn_service.native import LEVEL

ROOT = Path(__file__).parent.parent
POLL = 0.1
NO_OPERATORS = {LEVEL: "none"}
"""Lets this service run the graph's own nodes."""


@dataclass(frozen=True)
class Server:
    """A running server, which may have processes below it."""

    port: int
    pid: int


class ServerError(RuntimeError):
    """A server that did not come up, broke off or answered wrongly."""


@contextlib.contextmanager
def serving(
    models: Path,
    model: str,
    concurrency: int,
    processes: int = 1,
    more: Mapping[str, str] | None = None,
    tree: Path = ROOT,
    under: Sequence[str] = (),
) -> Iterator[Server]:
    """`python -m service` on a free port of the loopback, ready; terminated at the end.

    Several processes share the runs that go on at once, and a store for streams. `tree` is the
    folder whose service it is; `under` is the command of a tool that runs it.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "PORT": port,
            "MODELS": models,
            "MODEL": model,
            "CONCURRENCY": max(concurrency // processes, 1),
            **together(processes, Path(folder)),
        }
        environment = {f"LARNN_{name}": str(value) for name, value in settings.items()}
        environment |= more or {}
        command = [*under, sys.executable, "-m", "service"]
        with running(command, port, "/readyz", environment, tree=tree) as server:
            yield server


def together(processes: int, folder: Path) -> dict[str, str | int]:
    """The settings of so many processes. Their streams are written once a second, no oftener."""
    if processes == 1:
        return {}
    store = f"sqlite:///{folder / 'streams.db'}"
    return {"WORKERS": processes, "STORE": store, "CHECKPOINT_STEPS": 10**6}


@contextlib.contextmanager
def running(
    command: list[str],
    port: int,
    health: str,
    environment: Mapping[str, str],
    within: float = 120.0,
    tree: Path = ROOT,
) -> Iterator[Server]:
    """The command's server once GET `health` answers 200; its whole tree ended at the end.

    It starts in the folder `tree`. Raises ServerError where it ends before or is not ready `within`
    seconds.
    """
    environment = {**os.environ, **environment}
    with (
        _Log() as log,
        subprocess.Popen(
            command, env=environment, cwd=tree, stdout=log.fileno(), stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            if not _is_ready(process, f"http://127.0.0.1:{port}{health}", within):
                raise ServerError(f"{command[0]} did not come up:\n{log.tail()}")
            yield Server(port, process.pid)
        finally:
            _end(process)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all below it."""
    total = 0.0
    for process in _tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and all below it; pages that they share count each time."""
    total = 0
    for process in _tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total


def free_port() -> int:
    """A port of the loopback that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class _Log:
    """What a server prints: to a file, because nobody reads it while it runs."""

    def __enter__(self) -> _Log:
        self._memory = os.memfd_create("log")
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._memory)

    def fileno(self) -> int:
        return self._memory

    def tail(self, size: int = 4000) -> str:
        length = os.fstat(self._memory).st_size
        return os.pread(self._memory, size, max(length - size, 0)).decode(errors="replace")


def _is_ready(process: subprocess.Popen[bytes], url: str, within: float) -> bool:
    until = time.monotonic() + within
    with httpx.Client(timeout=5, trust_env=False) as client:
        while process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                if client.get(url).status_code == 200:
                    return True
            time.sleep(POLL)
    return False


def _tree(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL for what is left of the tree."""
    tree = _tree(process.pid)
    process.terminate()
    _, alive = psutil.wait_procs(tree, timeout=15)
    for left in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            left.kill()
    psutil.wait_procs(alive, timeout=15)
