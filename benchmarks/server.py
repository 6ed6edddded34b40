"""The service as a process of its own, and what CPU time a process has used."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Server:
    """A running service."""

    port: int
    pid: int


@contextlib.contextmanager
def serving(models: Path, model: str, concurrency: int) -> Iterator[Server]:
    """`python -m service` on a free port of the loopback, ready; terminated at the end."""
    settings = {"PORT": 0, "MODELS": models, "MODEL": model, "CONCURRENCY": concurrency}
    process = subprocess.Popen(
        [sys.executable, "-m", "service"],
        env=os.environ | {f"LARNN_{name}": str(value) for name, value in settings.items()},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    log = []
    try:
        for line in process.stderr:
            log.append(line)
            if match := re.search(r"running on http://\S+:(\d+)", line):
                yield Server(int(match[1]), process.pid)
                break
        else:
            raise RuntimeError("the service did not start:\n" + "".join(log))
    finally:
        process.terminate()
        process.wait(120)
        process.stderr.close()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all its threads together."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")
