"""Starts a service, ordinary clients and attackers, and says what did not hold."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from tests import live, toy
from tests.faults.attack.harness import LIMITS, errors_of, resident
from tests.faults.soak.clients import Seen, classify, stream

IDLE_TIMEOUT = 20.0
INTERVALS = 120
"""Parts of the time, of each of which there is one figure."""
GROWTH = 1.1
"""How much larger memory may be in the last quarter than in the second."""


@dataclass
class Soak:
    """What came of a run: for each interval its end in seconds, resident MiB, and the p50 and p99
    of chunks in milliseconds."""

    streams: int
    counts: dict[str, int] = field(default_factory=dict)
    attacks: dict[str, Any] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    found: list[str] = field(default_factory=list)

    def quarters(self, figures: list[float]) -> tuple[float, float]:
        """The medians of a figure in the second quarter, when caches have grown, and the last."""
        quarter = max(1, len(figures) // 4)
        second, last = figures[quarter : 2 * quarter] or figures, figures[-quarter:]
        return float(np.median(second)), float(np.median(last))

    @property
    def faults(self) -> list[str]:
        """What must hold and does not, but for times."""
        before, after = self.quarters(self.memory)
        grown = f"resident memory grew from {before:.0f} to {after:.0f} MiB"
        return self.found + ([grown] if after > GROWTH * before else [])

    def record(self) -> dict[str, Any]:
        """All of it, for JSON; of each figure its medians in the second and the last quarter."""
        figures = {"memory": self.memory, "p50": self.p50, "p99": self.p99}
        quarters = {name: self.quarters(values) for name, values in figures.items()}
        return asdict(self) | {"quarters": quarters, "faults": self.faults}


def soak(seconds: float, streams: int, attacked: bool) -> Soak:
    """So many live streams for so long, over SQLite, with or without attackers."""
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        toy.publish(models)
        store = f"sqlite:///{folder}/streams.db"
        chosen = LIMITS | {"max_connections": 2 * streams + 256, "idle_timeout": IDLE_TIMEOUT}
        settings = chosen | {"store": store, "log_level": "info", "grpc_port": 0}
        with live.process(models=models, model="toy", **settings) as own, errors_of(own) as log:
            outcome = Soak(streams)
            with _attackers(own, outcome.attacks, attacked):
                asyncio.run(_watched(own, outcome, seconds))
            if own.stop() != 0:
                outcome.found.append("the service did not end well")
        outcome.found += [f"the log: {line.strip()}" for line in log[:10]]
    return outcome


async def _watched(own: live.Process, outcome: Soak, seconds: float) -> None:
    start, seen = time.monotonic(), Seen()
    until = start + seconds
    async with asyncio.TaskGroup() as group:
        for number in range(outcome.streams):
            group.create_task(stream(own.url, until, seen, random.Random(number)))
        group.create_task(classify(own.url, until, seen))
        for interval in range(1, INTERVALS + 1):
            await asyncio.sleep(start + seconds * interval / INTERVALS - time.monotonic())
            if not seen.latencies:
                continue
            p50, p99 = 1e3 * np.percentile(seen.latencies, (50, 99))
            seen.latencies.clear()
            outcome.seconds.append(round(time.monotonic() - start, 1))
            outcome.memory.append(round(resident(own), 1))
            outcome.p50.append(round(float(p50), 2))
            outcome.p99.append(round(float(p99), 2))
    outcome.counts, outcome.found = dict(seen.counts), outcome.found + seen.faults[:10]


@contextmanager
def _attackers(own: live.Process, told: dict[str, Any], attacked: bool) -> Iterator[None]:
    """They attack meanwhile; `told` is then what they were answered."""
    if not attacked:
        yield
        return
    address, grpc = urlsplit(own.url), urlsplit(f"//{own.grpc}")
    command = [sys.executable, "-m", "tests.faults.soak.attackers"]
    command += [str(address.hostname), str(address.port), str(grpc.port)]
    with subprocess.Popen(
        command, cwd=live.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()  # they are there before what they shall disturb
            yield
        finally:
            out, _ = process.communicate(timeout=100)
    assert process.returncode == 0, "the attackers stopped: what they were answered is above"
    told.update(json.loads(out))
