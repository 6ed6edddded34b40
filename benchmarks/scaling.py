"""How cost grows with steps, window, width, rows and streams, with fitted slopes and a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from onnxruntime import InferenceSession

from benchmarks import pictures
from benchmarks.measure import Quick, report
from benchmarks.runs import cpu_ms, open_session, run_of
from larnn_export.families.larnn.config import LARNNConfig
from larnn_export.graph import build_graph
from larnn_export.networks import RecurrentClassifier
from larnn_export.publish import contract_of

BASE = LARNNConfig(hidden_size=64, heads=8, window_size=16, layers=2)


@dataclass(frozen=True)
class Point:
    """What is run: rows and steps of a network."""

    config: LARNNConfig = BASE
    rows: int = 16
    steps: int = 32


AXES: dict[str, tuple[list[int], Callable[[int], Point]]] = {
    "steps T": ([32, 64, 128, 256, 512], lambda t: Point(rows=4, steps=t)),
    "window k": ([4, 8, 16, 32, 64], lambda k: Point(BASE.model_copy(update={"window_size": k}))),
    "width n": (
        [32, 64, 96, 128, 192],
        lambda n: Point(BASE.model_copy(update={"hidden_size": n})),
    ),
    "rows B": ([1, 4, 16, 64, 256], lambda b: Point(rows=b)),
    "streams S, one step": ([1, 4, 16, 64, 256], lambda s: Point(rows=s, steps=1)),
}


def scaling(
    rounds: Annotated[int, typer.Option(help="rounds; each point is the best of them")] = 7,
    quick: Quick = False,
    output: Annotated[Path | None, typer.Option(help="JSON; a picture goes beside it")] = None,
) -> None:
    """CPU time of a run over each of five sizes; slope is the exponent between the last points."""
    lines = []
    for axis, (sizes, point_of) in AXES.items():
        points = [point_of(size) for size in (sizes[:2] if quick else sizes)]
        runs = [_run_of(point) for point in points]
        times = [float("inf")] * len(runs)
        for _ in range(1 if quick else rounds):
            times = [min(ms, cpu_ms(run)) for ms, run in zip(times, runs, strict=True)]
        used = sizes[: len(times)]
        slope = float(np.polyfit(np.log(used[-3:]), np.log(times[-3:]), 1)[0])
        lines.append({"axis": axis, "sizes": used, "ms": times, "slope": slope})
    record = {"command": "scaling", "lines": lines}
    report("scaling", record, output)
    if output is not None:
        pictures.scaling(record, output.with_suffix(".png"))


def _run_of(point: Point) -> Callable[[], object]:
    shape = (point.rows, point.steps, point.config.channels)
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    network, session = _opened(point.config)
    run = run_of(session, network, x)
    run()
    return run


@cache
def _opened(config: LARNNConfig) -> tuple[RecurrentClassifier, InferenceSession]:
    torch.manual_seed(0)
    network = RecurrentClassifier(config).eval().requires_grad_(False)
    return network, open_session(build_graph(network, contract_of(network)))
