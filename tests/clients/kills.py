"""Streams of the JavaScript client while the service is killed: python -m tests.clients.kills

It keeps its streams in SQLite; each time it is killed with SIGKILL while answers are on their way,
and started again. Every answer is compared with the uninterrupted run.
"""

from __future__ import annotations

import queue
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import typer

from benchmarks.measure import Output, machine, report
from tests import live, toy
from tests.client.proxy import proxied
from tests.clients.node import Driver, driver, version

CHUNK = 3
CHUNKS_A_KILL = 6


@dataclass(frozen=True)
class Figures:
    """Steps of all streams together."""

    steps: int
    lost: int
    twice: int
    wrong: int


def measure(node: Driver, *, streams: int, kills: int) -> Figures:
    """What became of the steps."""
    chunks = CHUNKS_A_KILL * (kills + 1)
    edges = list(range(0, CHUNK * chunks + 1, CHUNK))
    signal = np.random.default_rng(1).integers(-4, 5, size=(edges[-1], 2)).astype(np.float32)
    truth = np.concatenate([signal.cumsum(0), np.arange(1, len(signal) + 1)[:, None]], axis=1)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        toy.publish(folder / "models")
        settings = {
            "models": folder / "models",
            "model": "toy",
            "store": f"sqlite:///{folder}/streams.db",
            "checkpoint_steps": 25,
        }
        service = stack.enter_context(live.process(**settings))
        proxy = stack.enter_context(proxied(service.url))
        outcome = node.begin(
            "many",
            url=proxy.url,
            client={"retryFor": 300_000},
            signal=signal.tolist(),
            edges=edges,
            count=streams,
            options={"logits": True, "emit": "every"},
        )
        for kill in range(1, kills + 1):
            node.do("more", chunks=CHUNKS_A_KILL * kill)
            _until(node.answered, streams * (CHUNKS_A_KILL * kill - CHUNKS_A_KILL // 2))
            service.kill()
            service = stack.enter_context(live.process(**settings))
            proxy.lead_to(service.url)
        node.do("more", chunks=chunks)
        told = outcome.get(timeout=300)
    assert "outcome" in told, told
    lost = twice = wrong = 0
    for stream in told["outcome"]:
        logits = [step["logits"] for each in stream["predictions"] for step in each["steps"]]
        lost += max(len(truth) - len(logits), 0)
        twice += max(len(logits) - len(truth), 0)
        same = zip(logits, truth.tolist(), strict=False)
        wrong += sum(found != right for found, right in same) + (stream["ended"] != len(truth))
    return Figures(streams * len(truth), lost, twice, wrong)


def _until(answered: queue.Queue[int], count: int) -> None:
    while answered.get(timeout=300) < count:
        pass


def main(
    streams: Annotated[int, typer.Option(help="streams at once")] = 50,
    kills: Annotated[int, typer.Option(help="how often the service is killed")] = 20,
    output: Output = None,
) -> None:
    """Streams of the JavaScript client while the service is killed; every step counts once."""
    with driver() as node:
        figures = measure(node, streams=streams, kills=kills)
    asked = {"command": "kills", "node": version(), "streams": streams, "kills": kills}
    report("javascript_kills", machine() | asked | asdict(figures), output)


if __name__ == "__main__":
    typer.run(main)
