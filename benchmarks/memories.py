"""What each family of memory costs: the networks of one size that docs/memories.md compares."""

from __future__ import annotations

import io
import math
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from benchmarks.client import SameRequest, post
from benchmarks.measure import machine, measure, write
from benchmarks.random_larnn import write_larnn
from benchmarks.runs import cpu_ms
from benchmarks.server import resident_bytes, serving
from benchmarks.ticks import EngineStreams
from export.networks import NetworkConfig, RecurrentClassifier
from export.recipe import NETWORKS

STREAMS = 64
STEPS = 128
CONNECTIONS = 16
NPY = {"Content-Type": "application/x-npy"}


def memories(
    rounds: Annotated[int, typer.Option(help="rounds; ticks are the best, windows the median")] = 3,
    seconds: Annotated[float, typer.Option(help="time for each network's windows")] = 2.0,
    quick: Annotated[bool, typer.Option(help="prove that it works: a few seconds")] = False,
    output: Annotated[Path | None, typer.Option(help="write the figures as JSON")] = None,
) -> None:
    """Parameters, multiply-adds, state, steps/s of 64 streams and windows/s of /classify."""
    torch.set_num_threads(1)
    if quick:
        rounds, seconds = 1, 0.2
    rows: dict[str, dict[str, Any]] = {}
    for preset, config in NETWORKS.items():
        rows[preset] = {"preset": preset, **_size(config)}
        rows[preset]["steps_per_cpu_second"] = _ticks(config, rounds)
    for preset, found in _windows(rounds, seconds).items():
        rows[preset] |= found
    for row in rows.values():
        print(" ".join(f"{name} {value}" for name, value in row.items()))
    write(machine() | {"command": "memories", "rows": [*rows.values()]}, output)


def macs_per_step(config: NetworkConfig) -> int:
    """Multiply-adds of one row's step: products and sums over memory, not the activations."""
    n, k = config.hidden_size, config.window_size
    reads = config.heads * config.memory_width
    layer = {
        "larnn": 10 * n * n + 4 * n * n + 3 * n * n + 2 * k * n,
        "rra": 8 * n * n + k * n,
        "lstm": 8 * n * n,
        "bn-lstm": 8 * n * n,
        "gru": 6 * n * n,
        "mann": (8 * n + n) * n + 6 * n * reads + 3 * config.memory_slots * reads,
        "attention": 12 * n * n + 2 * k * n,
    }[config.family]
    return config.layers * layer + n * (config.channels + config.classes)


def _size(config: NetworkConfig) -> dict[str, Any]:
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


def _ticks(config: NetworkConfig, rounds: int) -> float:
    torch.manual_seed(0)
    network = RecurrentClassifier(config).eval().requires_grad_(False)
    streams = EngineStreams(network, STREAMS, "none")
    x = np.random.default_rng(0).normal(size=(STREAMS, 1, config.channels)).astype(np.float32)
    for _ in range(config.window_size + 1):
        streams.tick(x)
    return 1e3 * STREAMS / min(cpu_ms(partial(streams.tick, x)) for _ in range(10 * rounds))


def _windows(rounds: int, seconds: float) -> dict[str, dict[str, Any]]:
    """/classify of a running service, one window of 128 steps a request."""
    body = io.BytesIO()
    window = np.random.default_rng(0).normal(size=(1, STEPS, 9)).astype(np.float32)
    np.save(body, window)
    found: dict[str, list[Any]] = {preset: [] for preset in NETWORKS}
    with tempfile.TemporaryDirectory() as folder:
        for preset, config in NETWORKS.items():
            write_larnn(Path(folder), preset, config)
        with serving(Path(folder), "larnn", 2) as server:
            for _ in range(rounds):
                for preset in NETWORKS:
                    path = f"/classify?model={preset}"
                    request = post(server.port, path, body.getvalue(), NPY)
                    asked = SameRequest(server.port, request, CONNECTIONS)
                    found[preset].append(measure(server, asked, seconds, 10**9))
            memory = resident_bytes(server.pid)
    print(f"the service with {len(NETWORKS)} networks: {memory / 2**20:.0f} MiB")
    return {
        preset: {
            "windows_per_second": float(np.median([each.per_second for each in cells])),
            "windows_per_cpu_second": float(np.median([each.per_cpu_second for each in cells])),
        }
        for preset, cells in found.items()
    }
