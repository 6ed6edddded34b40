"""What a benchmark must know of a server, and what every server's own code starts from."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from benchmarks.standin import StandIn

Floats = NDArray[np.float32]
ONNXRUNTIME = "onnxruntime==1.31.1"
ROOT = Path(__file__).parent.parent.parent
SERVING = os.environ.get("BENCHMARK_PEER", "")
"""The file of the peer whose server this process is; empty in the benchmark's own processes."""
MODEL = "window"
"""The name of the model, where a server's addresses have one."""


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
    more_ports: tuple[int, int] = (0, 0)
    """Free ones, for servers that listen on others too."""

    def module(self, name: str, **environment: str) -> Start:
        """Run benchmarks/peers/NAME.py in the peer's environment."""
        given = {
            "BENCHMARK_PEER": name,
            "BENCHMARK_GRAPH": str(self.standin.window.absolute()),
            "BENCHMARK_PORT": str(self.port),
            "BENCHMARK_WORKERS": str(self.workers),
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            "TMPDIR": str(self.folder),
        }
        return Start([str(self.python), "-m", f"benchmarks.peers.{name}"], given | environment)


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


class Peer:
    """A server of models, installed in an environment of its own."""

    name: str
    requirements: tuple[str, ...] = ()
    """What pip installs; none: it runs in the project's own environment."""
    base_python = Path(sys.executable)
    """Makes the environment."""
    environment = ""
    """The peer whose environment it shares; none: its own."""
    health: str
    asks: Mapping[str, Callable[[Floats], Ask]]
    """How a window [steps, channels] is asked, by "JSON" and, where that is taken, "binary"."""

    def start(self, place: Place) -> Start:
        """The command, with what it reads written to the place's folder."""
        return place.module(self.name)

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
        ready = self._ready(peers)
        return not self.requirements or (ready.is_file() and ready.read_text() == self._wanted())

    def mark_installed(self, peers: Path) -> None:
        self._ready(peers).write_text(self._wanted())

    def _ready(self, peers: Path) -> Path:
        return self.folder(peers) / "ready"

    def _wanted(self) -> str:
        return "\n".join(self.requirements)
