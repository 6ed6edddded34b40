"""What a benchmark must know of a server."""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.standin import StandIn

Floats = NDArray[np.float32]
ONNXRUNTIME = "onnxruntime==1.31.1"


@dataclass(frozen=True)
class Place:
    """Where a server runs and what it serves."""

    python: Path
    """The interpreter of the peer's environment."""
    folder: Path
    """Empty and the server's own, for the files that it wants."""
    standin: StandIn
    port: int
    workers: int


@dataclass(frozen=True)
class Start:
    """How a server is started."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ask:
    """One way to ask for one window's class."""

    path: str
    headers: dict[str, str]
    body: bytes
    logits: Callable[[bytes], Floats]
    """The six logits, up to a constant, from the answer's body."""


class Peer(ABC):
    """A server of models, installed in an environment of its own."""

    name: str
    requirements: tuple[str, ...] = ()
    """What pip installs; none: it runs in the project's own environment."""
    base_python = Path(sys.executable)
    """Makes the environment."""
    environment = ""
    """The peer whose environment it shares; none: its own."""
    health: str

    def python(self, peers: Path) -> Path:
        """The interpreter that runs it, in the folder of the peers' environments."""
        if not self.requirements:
            return Path(sys.executable)
        return self.folder(peers).absolute() / "bin" / "python"

    def folder(self, peers: Path) -> Path:
        """Its environment, in the folder of the peers' environments."""
        return peers / (self.environment or self.name)

    def is_installed(self, peers: Path) -> bool:
        """Whether just these requirements were installed, to the end."""
        if not self.requirements:
            return True
        ready = self._ready(peers)
        return ready.is_file() and ready.read_text() == self._wanted()

    def mark_installed(self, peers: Path) -> None:
        self._ready(peers).write_text(self._wanted())

    def _ready(self, peers: Path) -> Path:
        return self.folder(peers) / "ready"

    def _wanted(self) -> str:
        return "\n".join(self.requirements)

    @abstractmethod
    def start(self, place: Place) -> Start:
        """The command, with what it reads written to the place's folder."""

    @abstractmethod
    def asks(self, window: Floats) -> dict[str, Ask]:
        """By "JSON" and, where the server takes it, "binary": the window [steps, channels]."""


def module(place: Place, name: str, **environment: str) -> Start:
    """Run benchmarks/servers/NAME.py in the peer's environment."""
    return Start(
        [str(place.python), "-m", f"benchmarks.servers.{name}"],
        {
            "BENCHMARK_GRAPH": str(place.standin.window.absolute()),
            "BENCHMARK_PORT": str(place.port),
            "BENCHMARK_WORKERS": str(place.workers),
            "PATH": f"{place.python.parent}{os.pathsep}{os.environ['PATH']}",
            "TMPDIR": str(place.folder),
            **environment,
        },
    )
