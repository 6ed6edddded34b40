"""Node, running the JavaScript client: its unit tests, and streams that tests in Python break."""

from __future__ import annotations

import contextlib
import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests import live, tools

FOLDER = live.ROOT / "clients" / "ts"
WEBSOCKET = "--experimental-websocket"
"""Node 20 has the class behind this flag; later ones take it and have it anyway."""


def node() -> str:
    """The program. Skips, or fails, without it."""
    found = shutil.which("node")
    if found is None:
        tools.missing("node is not installed", "NODE")
    return found


def version() -> str:
    """Node's own, such as v20.1.0."""
    done = subprocess.run([node(), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def packages() -> None:
    """Have what clients/ts/package.json pins. Without it as without Node."""
    node()
    if (FOLDER / "node_modules" / "@larnn").is_dir():
        return
    install = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent"]
    if subprocess.run(install, cwd=FOLDER, capture_output=True, timeout=600).returncode:
        tools.missing("npm could not install what clients/ts/package.json pins", "NODE")


def run(*arguments: str) -> str:
    """What Node prints. Fails with it where Node does."""
    done = subprocess.run(
        [node(), WEBSOCKET, *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass
class Driver:
    """clients/ts/tests/driver.js, with the jobs that it has."""

    popen: subprocess.Popen[str]
    answered: queue.Queue[int] = field(default_factory=queue.Queue)
    """How many predictions the streams of `many` have, told with each of them."""
    _ids: Iterator[int] = field(default_factory=count)
    _waiting: dict[int, queue.Queue[dict[str, Any]]] = field(default_factory=dict)

    def begin(self, job: str, **what: Any) -> queue.Queue[dict[str, Any]]:
        """Where its outcome, or its error, will be."""
        number = next(self._ids)
        self._waiting[number] = outcome = queue.Queue[dict[str, Any]]()
        assert self.popen.stdin is not None
        self.popen.stdin.write(json.dumps({"id": number, "job": job, **what}) + "\n")
        self.popen.stdin.flush()
        return outcome

    def do(self, job: str, **what: Any) -> Any:
        """Its outcome. Fails with its error."""
        told = self.begin(job, **what).get(timeout=300)
        assert "outcome" in told, told
        return told["outcome"]

    def error(self, job: str, **what: Any) -> dict[str, Any]:
        """The error that it must end with: `error`, the class; `code` and `detail`."""
        told = self.begin(job, **what).get(timeout=300)
        assert "error" in told, told
        return told

    def listen(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            told = json.loads(line)
            if "answered" in told:
                self.answered.put(told["answered"])
            else:
                self._waiting.pop(told["id"]).put(told)


@contextlib.contextmanager
def driver() -> Iterator[Driver]:
    popen = subprocess.Popen(
        [node(), "--no-warnings", WEBSOCKET, "tests/driver.js"],
        cwd=FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    driver = Driver(popen)
    listening = threading.Thread(target=driver.listen)
    listening.start()
    try:
        yield driver
    finally:
        assert popen.stdin is not None and popen.stdout is not None
        popen.stdin.close()
        popen.wait(60)
        listening.join(60)
        popen.stdout.close()
