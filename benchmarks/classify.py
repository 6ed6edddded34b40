"""POST /classify against bare session.run, in the same run and with as many concurrent runs."""

from __future__ import annotations

import io
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.bare import BareSession
from benchmarks.client import SameRequest, load, post
from benchmarks.measure import machine, write
from benchmarks.server import resident_bytes, serving
from service.backend.repository import Repository
from service.contract import MANIFEST_FILE, Manifest
from service.errors import StartupError

STEPS = 128
BATCHES = (1, 4, 16, 32, 64)
CONNECTIONS = (1, 16, 64)


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    windows_per_second: float
    windows_per_cpu_second: float
    p50_ms: float
    p99_ms: float
    client_cpu_ms: float | None = None
    """The client's own cost of a request, in another process."""


@dataclass(frozen=True)
class Start:
    """The service alone: from its command to its first 200 of /readyz, and what it holds then."""

    seconds: float
    resident_bytes: int


def classify(
    models: Annotated[Path, typer.Option(help="folder of exported models")] = Path("models"),
    model: Annotated[str, typer.Option(help="the model to measure")] = "larnn-har",
    seconds: Annotated[float, typer.Option(help="time for each line")] = 10.0,
    requests: Annotated[int, typer.Option(help="at most so many requests for each line")] = 20_000,
    quick: Annotated[bool, typer.Option(help="prove that it works: a few seconds")] = False,
    output: Annotated[Path | None, typer.Option(help="write the figures as JSON")] = None,
) -> None:
    """Windows of 128 random steps, one a request, as JSON and npy, against bare session.run."""
    if quick:
        seconds, requests = min(seconds, 0.5), min(requests, 32)
    runs = len(os.sched_getaffinity(0))
    try:
        folder = Repository(models).newest(model)
    except StartupError as error:
        raise typer.BadParameter(f"{error}; see --models and --model") from error
    manifest = Manifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
    generator = np.random.default_rng(0)
    window = generator.normal(size=(STEPS, len(manifest.contract.channels))).astype(np.float32)

    bare = _bare_rows(BareSession(folder, manifest, runs), window, seconds, requests)
    best = max(bare[1:], key=lambda row: row.windows_per_second)
    start, served = _service(models, model, window, runs, seconds, requests)
    rows = [bare[0], best, *served]
    print(f"{manifest.name}/{manifest.version}, {runs} concurrent runs, windows of {STEPS} steps")
    _print(rows, best)
    print(f"ready in {start.seconds:.2f} s, with {start.resident_bytes / 1e6:.0f} MB")
    record = machine() | {
        "command": "classify",
        "model": f"{manifest.name}/{manifest.version}",
        "graph_sha256": manifest.graph.sha256,
        "seconds": seconds,
        "requests": requests,
        "start": asdict(start),
        "rows": [asdict(row) | {"of_best": _ratios(row, best)} for row in rows],
        "all_bare_rows": [asdict(row) for row in bare],
    }
    write(record, output)


def _bare_rows(
    session: BareSession, window: NDArray[np.float32], seconds: float, requests: int
) -> list[Row]:
    rows = []
    for batch in BATCHES:
        done = session.measure(window, batch, seconds, max(requests // batch, 1))
        windows = len(done.latencies) * batch
        rows.append(
            _row(f"session.run, batch {batch}", windows, done.seconds, done.cpu, done.latencies)
        )
    return rows


def _service(
    models: Path, model: str, window: NDArray[np.float32], runs: int, seconds: float, requests: int
) -> tuple[Start, list[Row]]:
    npy = io.BytesIO()
    np.save(npy, window[None])
    bodies = {
        "JSON": (json.dumps({"sequences": [window.tolist()]}).encode(), "application/json"),
        "npy": (npy.getvalue(), "application/x-npy"),
    }
    rows, before = [], time.perf_counter()
    with serving(models, model, runs) as server:
        start = Start(time.perf_counter() - before, resident_bytes(server.pid))
        for name, (body, content_type) in bodies.items():
            for connections in CONNECTIONS:
                request = post(server.port, "/classify", body, {"Content-Type": content_type})
                asked = SameRequest(server.port, request, connections)
                done = load(server, asked, seconds, requests)
                count = len(done.latencies)
                row = _row(
                    f"/classify, {name}, {connections} connection{'s' * (connections > 1)}",
                    count,
                    done.seconds,
                    done.server_cpu,
                    done.latencies,
                    client_cpu_ms=1e3 * done.client_cpu / count,
                )
                rows.append(row)
    return start, rows


def _row(
    name: str,
    windows: int,
    seconds: float,
    cpu: float,
    latencies: list[float],
    client_cpu_ms: float | None = None,
) -> Row:
    p50, p99 = (1e3 * float(value) for value in np.percentile(latencies, (50, 99)))
    return Row(name, windows / seconds, windows / max(cpu, 0.01), p50, p99, client_cpu_ms)


def _ratios(row: Row, best: Row) -> dict[str, float]:
    return {
        "windows_per_second": row.windows_per_second / best.windows_per_second,
        "windows_per_cpu_second": row.windows_per_cpu_second / best.windows_per_cpu_second,
    }


def _print(rows: list[Row], best: Row) -> None:
    print(f"{'':32}{'windows/s':>10}{'of best':>8}{'/CPU-s':>10}{'of best':>8}", end="")
    print(f"{'p50 ms':>9}{'p99 ms':>9}{'client CPU ms':>15}")
    for row in rows:
        ratio, cpu_ratio = _ratios(row, best).values()
        client = "" if row.client_cpu_ms is None else f"{row.client_cpu_ms:.2f}"
        print(f"{row.name:32}{row.windows_per_second:10.1f}{ratio:8.2f}", end="")
        print(f"{row.windows_per_cpu_second:10.1f}{cpu_ratio:8.2f}", end="")
        print(f"{row.p50_ms:9.2f}{row.p99_ms:9.2f}{client:>15}")
