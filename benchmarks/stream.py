"""Streams: this service's websocket beside Triton's sequence batcher, and at real speed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import pictures, standin
from benchmarks.live import most_streams
from benchmarks.measure import (
    Output,
    Picture,
    Quick,
    Rounds,
    machine,
    measure,
    report,
    summary,
)
from benchmarks.our_streams import OurStreams
from benchmarks.peers.base import Place
from benchmarks.peers.install import FOLDER, Folder
from benchmarks.peers.triton import Triton
from benchmarks.peers.triton_stream import start_sequences
from benchmarks.random_larnn import write_larnn
from benchmarks.server import (
    NO_OPERATORS,
    Server,
    ServerError,
    free_port,
    running,
    serving,
)
from benchmarks.triton_streams import TritonStreams
from larnn_export.families.larnn.config import LARNNConfig
from larnn_service.backend.model_repository import Repository
from larnn_service.errors import StartupError

STREAMS, STEPS = [1, 16, 64, 250, 1000], [1, 10, 16]
SEVERAL, ONE, PLAIN = "several processes", "one process", "several, no operator"
KINDS = (SEVERAL, ONE, PLAIN)
OURS = {
    "ours JSON": (False, SEVERAL),
    "ours binary": (True, SEVERAL),
    "ours, no operator": (True, PLAIN),
    "ours, one process": (True, ONE),
}
"""Whether its chunks are binary, and which of the services has them."""
TRITON = "triton"
LARGE = "larnn-96"
LARGE_CONFIG = LARNNConfig(hidden_size=96, heads=12, window_size=16, layers=3, zero_attention=False)


@dataclass(frozen=True)
class Cell:
    """So many streams of one model, with so many steps a chunk."""

    server: str
    model: str
    streams: int
    steps: int


def stream(
    models: Annotated[Path, typer.Option(help="folder of exported models")] = Path("models"),
    model: Annotated[str, typer.Option(help="measured beside the stand-in")] = "larnn-har",
    streams: Annotated[list[int], typer.Option(help="so many at once")] = STREAMS,
    steps: Annotated[list[int], typer.Option(help="steps in a chunk")] = STEPS,
    seconds: Annotated[float, typer.Option(help="time for each cell of a round")] = 3.0,
    rounds: Annotated[int, typer.Option(help="over all cells, again from the first")] = 2,
    live: Annotated[bool, typer.Option(help="how many at 50 Hz, 10 steps a chunk")] = False,
    most: Annotated[int, typer.Option(help="try no more live streams")] = 8192,
    peers: Folder = FOLDER,
    quick: Quick = False,
    output: Output = None,
    picture: Picture = None,
) -> None:
    """Chunks/s, p50 and p99 of streams as fast as they go; --live: how many at real speed."""
    requests = 10**9
    if quick:
        streams, steps, seconds, rounds, requests, most = [1, 4], [10], 0.3, 1, 64, 8
    record = machine() | {"command": "stream", "seconds": seconds, "rounds": rounds, "live": live}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        standing = standin.write_standin(folder)
        try:
            found = Repository(models).newest(model)
        except StartupError as error:
            raise typer.BadParameter(f"{error}; see --models and --model") from error
        shutil.copytree(found, standing.models / model / found.name)
        names = [standin.NAME, model]
        if live:
            write_larnn(standing.models, LARGE, LARGE_CONFIG)
            with _ours(standing, ONE) as server:
                record["rows"] = [
                    asdict(trial) | {"model": name, "held": trial.held}
                    for name in (*names, LARGE)
                    for trial in most_streams(server, name, seconds, most)
                ]
        else:
            record["rows"] = _compare(
                standing, names, streams, steps, seconds, requests, rounds, peers
            )
    report("live" if live else "stream", record, output)
    if picture is not None and not live:
        pictures.stream(record, picture)


def _compare(
    standing: standin.StandIn,
    models: list[str],
    streams: list[int],
    steps: list[int],
    seconds: float,
    requests: int,
    rounds: int,
    peers: Path,
) -> list[dict[str, object]]:
    results: dict[Cell, Rounds] = defaultdict(dict)
    for number in range(rounds):
        with contextlib.ExitStack() as stack:
            services = {kind: stack.enter_context(_ours(standing, kind)) for kind in KINDS}
            triton = stack.enter_context(_triton(standing, peers))
            broken = triton is None
            for count in streams:
                for size in steps:
                    print(f"round {number + 1}/{rounds}: {count} streams, {size} steps", flush=True)
                    for model in models:
                        for name, (binary, kind) in OURS.items():
                            cell, ours = Cell(name, model, count, size), services[kind]
                            asked = OurStreams(ours.port, model, count, size, binary)
                            results[cell][number] = measure(ours, asked, seconds, requests)
                    if triton is None or broken:
                        continue
                    cell = Cell(TRITON, standin.NAME, count, size)
                    sequences = TritonStreams(triton.port, count, size, _first(count, size))
                    try:
                        results[cell][number] = measure(triton, sequences, seconds, requests)
                    except ServerError as error:
                        print(f"triton is left out from here on: {error}")
                        broken = True
    rows = []
    for cell in sorted(results, key=lambda cell: (cell.model, cell.steps, cell.streams)):
        ours_binary = Cell("ours binary", cell.model, cell.streams, cell.steps)
        rows.append(asdict(cell) | summary(results[cell], results[ours_binary]))
    return rows


def _first(streams: int, steps: int) -> int:
    """Sequence ids of their own for each cell."""
    return 1 + 100_000 * streams + 2_000_000_000 * steps


@contextlib.contextmanager
def _ours(standing: standin.StandIn, kind: str) -> Iterator[Server]:
    cores = len(os.sched_getaffinity(0))
    processes, more = 1 if kind == ONE else cores, NO_OPERATORS if kind == PLAIN else {}
    with serving(standing.models, standin.NAME, cores, processes, more) as server:
        yield server


@contextlib.contextmanager
def _triton(standing: standin.StandIn, peers: Path) -> Iterator[Server | None]:
    peer = Triton()
    if not peer.is_installed(peers):
        print("triton is skipped: python -m benchmarks install triton")
        yield None
        return
    workers = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        place = Place(peer.python(peers), Path(folder), standing, free_port(), workers)
        start, health = start_sequences(place)
        with running(start.command, place.port, health, start.environment) as server:
            yield server
