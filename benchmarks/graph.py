"""The exported graph and its operator beside the obvious export, a fused LSTM, torch, the floor."""

from __future__ import annotations

import platform
import statistics
from functools import partial
from typing import Annotated, Any

import numpy as np
import onnxruntime
import torch
import typer
from numpy.typing import NDArray

from benchmarks.measure import Output, Quick, report
from benchmarks.naive import export_naive
from benchmarks.peak import multiply_adds_per_second
from benchmarks.runs import (
    Run,
    compiled_run_of,
    cpu_ms,
    macs_per_step,
    naive_run_of,
    open_session,
    run_of,
)
from larnn_export.families import configure
from larnn_export.families.larnn.config import LARNNConfig
from larnn_export.graph import build_graph
from larnn_export.networks import RecurrentClassifier
from larnn_export.publish import contract_of
from larnn_service.native import library

PAPER = {"layers": 3, "normalisation": "batch", "zero_attention": False}
SIZES = {
    "n81 h27 k38": LARNNConfig(hidden_size=81, heads=27, window_size=38, **PAPER),
    "n96 h12 k16": LARNNConfig(hidden_size=96, heads=12, window_size=16, **PAPER),
    "n64 h8 k16": LARNNConfig(hidden_size=64, layers=2, normalisation="none"),
}
QUICK = {"n8 h2 k4": LARNNConfig(hidden_size=8, heads=2, window_size=4, layers=1)}
STEPS = 128
OPERATOR = "ours, operator"
ROWS = 64
"""Rows in one run, as the service's batcher has them."""
SHORT = {1: 128, 8: 128, 64: 32, 256: 32}
"""Steps that are run and scaled to 128, by batch size: cost is linear in steps (`scaling`). The
operator runs them all: it attends to filled slots alone, so its first steps are its cheapest."""
IN_A_ROW = 3
"""Runs of one line after another: the first finds other weights in the caches."""


def graph(
    rounds: Annotated[int, typer.Option(help="rounds; each line is the best of them")] = 7,
    quick: Quick = False,
    output: Output = None,
) -> None:
    """128 steps of three LARNN layers, in CPU time of one thread, everything in turn."""
    torch.set_num_threads(1)
    peak = multiply_adds_per_second()
    if peak is None:
        print("no C++ compiler is installed: the floor and torch's compiler are left out")
    else:
        print(f"one thread, {peak / 1e9:.0f} G multiply-adds per second at best")
    if library() is None:
        print("larnn-kernels is not installed: the operator is left out; make kernels")
    lines: list[dict[str, Any]] = []
    for name, config in (QUICK if quick else SIZES).items():
        short = {1: 2} if quick else SHORT
        lines += _measured(name, config, peak, 1 if quick else rounds, short)
    record = {
        "command": "graph",
        "machine": f"{platform.machine()}, {platform.processor() or 'unknown processor'}",
        "onnxruntime": onnxruntime.__version__,
        "torch": torch.__version__,
        "peak_gmacs": peak and peak / 1e9,
        "lines": lines,
    }
    report("graph", record, output)


def _measured(
    name: str, config: LARNNConfig, peak: float | None, rounds: int, short: dict[int, int]
) -> list[dict[str, Any]]:
    """CPU milliseconds of 128 steps in one thread, a line for each way to run them."""
    torch.manual_seed(0)
    network = RecurrentClassifier(config).eval().requires_grad_(False)
    lstm = RecurrentClassifier(configure({**config.model_dump(), "family": "lstm"})).eval()
    sessions = {
        "naive": open_session(export_naive(network)),
        "ours": open_session(build_graph(network, contract_of(network))),
        "fused LSTM, same n": open_session(build_graph(lstm, contract_of(lstm))),
    }
    if library() is not None:
        sessions[OPERATOR] = open_session(build_graph(network, contract_of(network)), native=True)
    lines = []
    for batch, steps in short.items():
        shape = (batch, STEPS, config.channels)
        whole = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        x = np.ascontiguousarray(whole[:, :steps])
        runs: dict[str, Run] = {
            "naive": naive_run_of(sessions["naive"], network, x),
            "ours": _in_runs(sessions["ours"], network, x),
        }
        if OPERATOR in sessions:
            runs[OPERATOR] = _in_runs(sessions[OPERATOR], network, whole)
        runs |= {
            "fused LSTM, same n": run_of(sessions["fused LSTM, same n"], lstm, x),
            "torch, eager": partial(network, torch.from_numpy(x)),
        }
        if peak is not None:
            runs["torch, compiled"] = compiled_run_of(network, torch.from_numpy(x))
        times: dict[str, list[float]] = {what: [] for what in runs}
        for run in runs.values():
            run()
        for _ in range(rounds):
            for what, run in runs.items():
                scale = 1.0 if what == OPERATOR else STEPS / steps
                times[what].append(scale * min(cpu_ms(run) for _ in range(IN_A_ROW)))
        best = {what: min(each) for what, each in times.items()}
        if peak is not None:
            best["floor"] = 1e3 * macs_per_step(config) * STEPS * batch / peak
        for what, ms in best.items():
            each = times.get(what, [ms])
            line: dict[str, Any] = {"network": name, "batch": batch, "what": what, "ms": ms}
            line |= {
                "spread_ms": statistics.median(each) - ms,
                "naive_over_this": best["naive"] / ms,
            }
            lines.append(line)
    return lines


def _in_runs(session: Any, network: RecurrentClassifier, x: NDArray[np.float32]) -> Run:
    """As the service does it: at most ROWS rows in one run."""
    runs = [run_of(session, network, x[start : start + ROWS]) for start in range(0, len(x), ROWS)]
    return lambda: [run() for run in runs]
