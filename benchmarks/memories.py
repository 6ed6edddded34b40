"""What each family of memory costs: the networks of one size that docs/memories.md compares."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import torch
import typer

from benchmarks.client import SameRequest, post
from benchmarks.measure import Output, Quick, Round, machine, measure, write
from benchmarks.peers.asks import NPY, npy
from benchmarks.random_larnn import write_larnn
from benchmarks.runs import cpu_ms, macs_per_step
from benchmarks.server import resident_bytes, serving
from benchmarks.signals import signal
from benchmarks.ticks import EngineStreams
from larnn_export.families import FAMILIES, NetworkConfig
from larnn_export.networks import RecurrentClassifier
from larnn_export.questions import PUBLISHED
from larnn_service.native import LEVEL, library

QUICK = (PUBLISHED, "gru")
STREAMS = 64
STEPS = 128
WARM_UP = 17
"""Steps that fill every queue."""
CONNECTIONS = 16
GRAPH, NATIVE = "graph", "native"
"""What runs a network: its graph alone, or the LARNN's operator, where that is installed."""
LEVELS = {GRAPH: {LEVEL: "none"}, NATIVE: {}}


def memories(
    rounds: Annotated[int, typer.Option(help="rounds; ticks are the best, windows the median")] = 3,
    seconds: Annotated[float, typer.Option(help="time for each network's windows")] = 2.0,
    quick: Quick = False,
    output: Output = None,
) -> None:
    """Parameters, multiply-adds, state, steps/s of 64 streams and windows/s of /classify."""
    torch.set_num_threads(1)
    presets = tuple(FAMILIES)
    if quick:
        rounds, seconds, presets = 1, 0.2, QUICK
    cells = [(preset, GRAPH) for preset in presets]
    cells += [(PUBLISHED, NATIVE)] if library() else []
    rows = [
        {
            "preset": preset,
            "operator": operator,
            **size(FAMILIES[preset].preset),
            "steps_per_cpu_second": _ticks(FAMILIES[preset].preset, operator, rounds),
        }
        for preset, operator in cells
    ]
    for row, found in zip(rows, _windows(cells, rounds, seconds), strict=True):
        row |= found
        print(" ".join(f"{name} {value}" for name, value in row.items()))
    write(machine() | {"command": "memories", "rows": rows}, output)


def size(config: NetworkConfig) -> dict[str, Any]:
    """Parameters that are learned, multiply-adds of a step, and bytes of the state."""
    network = RecurrentClassifier(config)
    learned = (each.numel() for each in network.parameters() if each.requires_grad)
    return {
        "family": config.family,
        "parameters": sum(learned),
        "macs_per_step": macs_per_step(config),
        "state_bytes": sum(
            np.dtype(tensor.dtype).itemsize * math.prod(tensor.shape)
            for tensor in network.state_tensors()
        ),
    }


def _ticks(config: NetworkConfig, operator: str, rounds: int) -> float:
    torch.manual_seed(0)
    network = RecurrentClassifier(config).eval().requires_grad_(False)
    streams = EngineStreams(network, STREAMS, LEVELS[operator].get(LEVEL))
    x = np.random.default_rng(0).normal(size=(STREAMS, 1, config.channels)).astype(np.float32)
    for _ in range(WARM_UP):
        streams.tick(x)
    return 1e3 * STREAMS / min(cpu_ms(partial(streams.tick, x)) for _ in range(10 * rounds))


def _windows(
    cells: list[tuple[str, str]], rounds: int, seconds: float
) -> Iterator[dict[str, float]]:
    """/classify of a running service, one window of 128 steps a request."""
    body = npy(signal(STEPS))
    found: list[list[Round]] = [[] for _ in cells]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        for preset in dict.fromkeys(preset for preset, _ in cells):
            write_larnn(Path(folder), preset, FAMILIES[preset].preset)
        servers = {
            operator: stack.enter_context(
                serving(Path(folder), PUBLISHED, 2, more=LEVELS[operator])
            )
            for operator in dict.fromkeys(operator for _, operator in cells)
        }
        for _ in range(rounds):
            for (preset, operator), measured in zip(cells, found, strict=True):
                server = servers[operator]
                path = f"/classify?model={preset}"
                request = post(server.port, path, body, NPY)
                asked = SameRequest(server.port, request, CONNECTIONS)
                measured.append(measure(server, asked, seconds, 10**9))
        memory = resident_bytes(servers[GRAPH].pid)
    print(f"the service with {len(dict(cells))} networks: {memory / 2**20:.0f} MiB")
    for measured in found:
        yield {
            "windows_per_second": median(each.per_second for each in measured),
            "windows_per_cpu_second": median(each.per_cpu_second for each in measured),
        }
