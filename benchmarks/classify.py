"""POST /classify against bare session.run, in the same run and with as many concurrent runs."""

from __future__ import annotations

import io
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.bare import BareSession
from benchmarks.client import SameRequest, post
from benchmarks.measure import Rounds, machine, measure, print_rows, summary, write
from benchmarks.server import Server, resident_bytes, serving
from larnn_service.backend.model_repository import Repository
from larnn_service.contract import MANIFEST_FILE, Manifest
from larnn_service.errors import StartupError

STEPS = 128
BATCHES = (1, 4, 16, 32, 64)
CONNECTIONS = (1, 16, 64)


@dataclass(frozen=True)
class Start:
    """The service alone, one process: from its command to its first 200 of /readyz, and what it
    holds then."""

    seconds: float
    resident_bytes: int


def classify(
    models: Annotated[Path, typer.Option(help="folder of exported models")] = Path("models"),
    model: Annotated[str, typer.Option(help="the model to measure")] = "larnn-har",
    seconds: Annotated[float, typer.Option(help="time for each line of a round")] = 2.0,
    rounds: Annotated[int, typer.Option(help="over all lines, again from the first")] = 5,
    requests: Annotated[int, typer.Option(help="at most so many requests for each line")] = 20_000,
    quick: Annotated[bool, typer.Option(help="prove that it works: a few seconds")] = False,
    output: Annotated[Path | None, typer.Option(help="write the figures as JSON")] = None,
) -> None:
    """Windows of 128 random steps, one a request, as JSON and npy, against bare session.run."""
    if quick:
        seconds, requests, rounds = min(seconds, 0.5), min(requests, 32), 1
    try:
        folder = Repository(models).newest(model)
    except StartupError as error:
        raise typer.BadParameter(f"{error}; see --models and --model") from error
    manifest = Manifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
    generator = np.random.default_rng(0)
    window = generator.normal(size=(STEPS, manifest.contract.input.width)).astype(np.float32)

    best, start, rows = _rows(folder, manifest, window, seconds, requests, rounds)
    print(f"{manifest.name}/{manifest.version}, windows of {STEPS} steps, as many runs as cores")
    print_rows(rows, {"name": 54}, "bare")
    print(f"ready in {start.seconds:.2f} s, with {start.resident_bytes / 1e6:.0f} MB")
    record = machine() | {
        "command": "classify",
        "model": f"{manifest.name}/{manifest.version}",
        "graph_sha256": manifest.graph.sha256,
        "seconds": seconds,
        "rounds": rounds,
        "requests": requests,
        "start": asdict(start),
        "best": best,
        "rows": rows,
    }
    write(record, output)


def _rows(
    folder: Path,
    manifest: Manifest,
    window: NDArray[np.float32],
    seconds: float,
    requests: int,
    rounds: int,
) -> tuple[str, Start, list[dict[str, Any]]]:
    """The best of the bare graph per CPU-second, the service's start, and all that was measured."""
    runs = len(os.sched_getaffinity(0))
    session = BareSession(folder, manifest, runs)
    results: dict[str, Rounds] = defaultdict(dict)
    models, before = folder.parent.parent, time.perf_counter()
    with serving(models, manifest.name, runs) as one:
        start = Start(time.perf_counter() - before, resident_bytes(one.pid))
        with serving(models, manifest.name, runs, processes=runs) as several:
            for number in range(rounds):
                for batch in BATCHES:
                    alone = session.measure(window, batch, seconds, max(requests // batch, 1))
                    results[f"session.run, batch {batch}"][number] = alone
                for name, server, asked in _asked(one, several, window):
                    results[name][number] = measure(server, asked, seconds, requests)
    bare = [name for name in results if name.startswith("session.run")]
    best = max(bare, key=lambda name: median(r.per_cpu_second for r in results[name].values()))
    found = {name: summary(each, results[best], "bare") for name, each in results.items()}
    return best, start, [{"name": name} | each for name, each in found.items()]


def _asked(
    one: Server, several: Server, window: NDArray[np.float32]
) -> Iterator[tuple[str, Server, SameRequest]]:
    """Of one process over few connections and many, of several processes over many."""
    npy = io.BytesIO()
    np.save(npy, window[None])
    bodies = {
        "JSON": (json.dumps({"sequences": [window.tolist()]}).encode(), "application/json"),
        "npy": (npy.getvalue(), "application/x-npy"),
    }
    for name, (body, content_type) in bodies.items():
        for server, counts in ((one, CONNECTIONS), (several, CONNECTIONS[-1:])):
            request = post(server.port, "/classify", body, {"Content-Type": content_type})
            for connections in counts:
                label = f"/classify, {name}, {connections} connection{'s' * (connections > 1)}"
                label += ", several processes" * (server is several)
                yield label, server, SameRequest(server.port, request, connections)
