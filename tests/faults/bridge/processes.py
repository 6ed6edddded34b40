"""What takes messages and answers them, as a process: `larnn bridge`, or a loop by hand."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.server import ROOT, cpu_seconds
from tests.live import PACKAGES


class Process:
    """It can be killed and started again; what it says is in its log."""

    def __init__(self, module: str, arguments: list[str], log: Path) -> None:
        """`python -m MODULE ARGUMENTS`."""
        self._command = [sys.executable, "-m", module, *arguments]
        self._log = log
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *PACKAGES])}
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(
                self._command, env=environment, cwd=ROOT, stdout=log, stderr=log
            )

    @property
    def cpu_seconds(self) -> float:
        """That it has used since it was started."""
        assert self._popen is not None
        return cpu_seconds(self._popen.pid)

    def kill(self) -> None:
        """SIGKILL: nothing is written or said any more."""
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()

    def end(self) -> float:
        """Told to, by SIGTERM, it ends by itself: seconds until then."""
        assert self._popen is not None
        begun = time.perf_counter()
        self._popen.terminate()
        if (code := self._popen.wait(60)) != 0:
            raise SystemExit(f"the bridge ended with {code}:\n{self._log.read_text()[-4000:]}")
        return time.perf_counter() - begun

    def check(self) -> None:
        """It has not ended by itself."""
        assert self._popen is not None
        if self._popen.poll() is not None:
            raise SystemExit(f"the bridge has ended:\n{self._log.read_text()[-4000:]}")


def listens(port: int) -> bool:
    """Whether something takes connections at this port of the loopback."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
