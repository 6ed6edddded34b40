"""python -m benchmarks trees OTHER: the service of this tree beside that of another one.

In every round both services are started anew, and each row measures one right after the other;
which of them is first changes from round to round. An older tree may want a native library of its
own: `pip install --no-deps --target DIR OTHER/kernels`, then `--packages DIR`.
"""

from __future__ import annotations

import os
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from benchmarks.live import RATE_HZ, STEPS, try_streams
from benchmarks.measure import Output, Round, Rounds, machine, measure, report, summary
from benchmarks.server import ROOT, Server, ServerError, serving
from benchmarks.ways import WAYS, asked, chosen
from larnn_service.backend.model_repository import Repository
from larnn_service.contract import MANIFEST_FILE, Manifest
from larnn_service.errors import StartupError

MODEL = "larnn-har"
MOST_SECONDS, MOST_ROUNDS = 30.0, 50
WARM_UP = 256
"""Messages of a row, over all its connections, before it is measured."""
THIS, OTHER = "this", "other"
LIVE = "live"
"""Streams with a chunk of 10 steps at 50 Hz; so few that the event loop has time left."""
AT_LEAST, AS_MANY = 0.92, 0.95
FASTER = 1.4
SLOWER = 1.10


@dataclass(frozen=True)
class Row:
    """One way to ask over so many connections, and what is demanded of this tree there."""

    way: str
    connections: int
    gate: float | None
    """Of messages per CPU-second, no less than so many times the other's; of p50, no more."""
    figure: str = "per_cpu_second"

    @property
    def name(self) -> str:
        return f"{self.way}-{self.connections}"

    def is_met(self, ratio: float) -> bool | None:
        if self.gate is None:
            return None
        return ratio >= self.gate if self.figure == "per_cpu_second" else ratio <= self.gate


ROWS = (
    Row("classify-npy", 64, AT_LEAST),
    Row("classify-json", 64, AT_LEAST),
    Row("classify-npy", 1, SLOWER, "p50_ms"),
    Row("classify-json", 1, SLOWER, "p50_ms"),
    Row("chunks-binary", 64, AT_LEAST),
    Row("chunks-json", 64, AT_LEAST),
    Row("chunks-binary", 1, None, "p50_ms"),
    Row("v2-binary", 16, FASTER),
    Row("v2-binary", 64, FASTER),
    Row("steps-json", 64, FASTER),
    Row(LIVE, 128, AS_MANY),
)
assert {row.way for row in ROWS} == {*WAYS, LIVE}


def trees(
    other: Annotated[Path, typer.Argument(help="root of the other tree", exists=True)],
    rounds: Annotated[int, typer.Option(min=1, max=MOST_ROUNDS, help="over all rows")] = 5,
    seconds: Annotated[
        float, typer.Option(min=0.05, max=MOST_SECONDS, help="time for each row of a tree's round")
    ] = 1.5,
    only: Annotated[list[str] | None, typer.Option(help="just these rows")] = None,
    packages: Annotated[
        Path | None, typer.Option(help="packages that the other tree has before the installed ones")
    ] = None,
    output: Output = ROOT / "benchmarks/results/trees.json",
) -> None:
    """Messages per CPU-second of the server, p50 and p99 of two trees' services, with gates."""
    names = chosen(only, (row.name for row in ROWS))
    wanted = [row for row in ROWS if row.name in names]
    folders = {THIS: ROOT, OTHER: other.resolve()}
    about = {name: _about(folder) for name, folder in folders.items()}
    if about[THIS]["graph_sha256"] != about[OTHER]["graph_sha256"]:
        print(f"the trees have different graphs of {MODEL}: the figures differ by them too")
    results: dict[tuple[str, str], Rounds] = defaultdict(dict)
    for number in range(rounds):
        print(f"round {number + 1}/{rounds}", flush=True)
        order = (THIS, OTHER) if number % 2 == 0 else (OTHER, THIS)
        with _started(folders, order, packages) as servers:
            for row in wanted:
                for name in order:
                    results[row.name, name][number] = _measured(servers[name], row, name, seconds)
    rows = [_record(row, results[row.name, THIS], results[row.name, OTHER]) for row in wanted]
    record = {"command": "trees", "model": MODEL, "rounds": rounds, "seconds": seconds}
    report("trees", machine() | record | {"trees": about, "rows": rows}, output)


@contextmanager
def _started(
    folders: dict[str, Path], order: tuple[str, str], packages: Path | None = None
) -> Iterator[dict[str, Server]]:
    """Both services, ready, the first of the order started first."""
    cores = len(os.sched_getaffinity(0))
    # Neither tree may import the sources of the other.
    paths = {THIS: "", OTHER: "" if packages is None else str(packages.resolve())}
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                serving(
                    folders[name] / "models",
                    MODEL,
                    cores,
                    more={"PYTHONPATH": paths[name]},
                    tree=folders[name],
                )
            )
            for name in order
        }


def _measured(server: Server, row: Row, name: str, seconds: float) -> Round:
    try:
        if row.way == LIVE:
            return _live(server, row.connections, seconds)
        askers = asked(row.way, server.port, MODEL, row.connections)
        return measure(server, askers, seconds, 10**9, -(-WARM_UP // row.connections))
    except ServerError as error:
        raise ServerError(f"{row.name} of {name} tree: {error}") from None


def _live(server: Server, streams: int, seconds: float) -> Round:
    try_streams(server, MODEL, streams, STEPS / RATE_HZ)  # what is slow once is not measured
    trial = try_streams(server, MODEL, streams, seconds)
    chunks = streams * RATE_HZ / STEPS
    of_cores = chunks / trial.server_cores
    return Round(chunks, of_cores, trial.p50_ms, trial.p99_ms, trial.client_cores)


def _record(row: Row, mine: Rounds, others: Rounds) -> dict[str, Any]:
    ratios = [getattr(mine[n], row.figure) / getattr(others[n], row.figure) for n in mine]
    return {
        "name": row.name,
        "figure": row.figure,
        "ratio": median(ratios),
        "ratio_spread": [min(ratios), max(ratios)],
        "gate": row.gate,
        "met": row.is_met(median(ratios)),
        THIS: summary(mine, {}),
        OTHER: summary(others, {}),
    }


def _about(tree: Path) -> dict[str, str]:
    """What is compared: its commit and whether that is all, and its model."""
    try:
        folder = Repository(tree / "models").newest(MODEL)
    except StartupError as error:
        raise typer.BadParameter(f"{tree}: {error}") from error
    manifest = Manifest.model_validate_json((folder / MANIFEST_FILE).read_bytes())
    return {
        "commit": _git(tree, "rev-parse", "HEAD"),
        "changed": _git(tree, "diff", "HEAD", "--shortstat"),
        "graph_sha256": manifest.graph.sha256,
    }


def _git(tree: Path, *arguments: str) -> str:
    """What git says of the tree; nothing where it is none of git's."""
    done = subprocess.run(["git", "-C", tree, *arguments], capture_output=True, text=True)
    return done.stdout.strip()
