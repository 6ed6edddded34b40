"""What a novelty costs in the graph: two versions of a network, run in turn."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import onnx
import typer

from benchmarks.measure import Output, Quick, report
from benchmarks.runs import Run, cpu_ms, open_session
from larnn_export.manifests import read_manifest
from larnn_service.contract import INPUT, LENGTHS
from larnn_service.native import library

MODEL = Path("models/larnn-har-raw")
SHAPES = ((1, 5), (1, 50), (1, 256), (16, 5), (16, 50), (64, 5), (64, 32))
"""Rows and steps of a run, as live streams and windows make them."""


def novelty(
    model: Annotated[Path, typer.Argument(help="folder of the two versions")] = MODEL,
    before: Annotated[str, typer.Option(help="the version without")] = "1",
    after: Annotated[str, typer.Option(help="the version with novelty")] = "2",
    rounds: Annotated[int, typer.Option(help="rounds; each figure is the median")] = 200,
    quick: Quick = False,
    output: Output = None,
) -> None:
    """CPU time of a run of each version, by its rows and steps, on one thread."""
    lines: list[dict[str, Any]] = []
    for rows, steps in SHAPES[:1] if quick else SHAPES:
        runs = [_run(model / version, rows, steps) for version in (before, after)]
        times = [[cpu_ms(run) for run in runs] for _ in range(2 if quick else rounds)]
        without, having = (median(column) for column in zip(*times, strict=True))
        lines.append({"rows": rows, "steps": steps, "without_ms": without, "with_ms": having})
    operator = "none" if library() is None else "native"
    report("novelty", {"command": "novelty", "operator": operator, "lines": lines}, output)


def _run(version: Path, rows: int, steps: int) -> Run:
    manifest = read_manifest(version)
    contract = manifest.contract
    session = open_session(onnx.load(version / manifest.graph.file), native=library() is not None)
    random = np.random.default_rng(0)
    x = random.normal(0, 1, (rows, steps, contract.input.width)).astype(np.float32)
    state = {name: np.repeat(a[None], rows, 0) for name, a in contract.initial_state().items()}
    feed = {INPUT: x, LENGTHS: np.full(rows, steps), **state}
    return lambda: session.run(None, feed)
