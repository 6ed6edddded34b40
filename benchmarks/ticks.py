"""Streaming ticks: S live streams move by one step each, the engine's way and the obvious way."""

from __future__ import annotations

import os
from functools import partial
from typing import Annotated, Any
from unittest.mock import patch

import numpy as np
import torch
import typer

from benchmarks.graph import QUICK, ROWS, SIZES
from benchmarks.measure import Output, Quick, report
from benchmarks.naive import export_naive, naive_state
from benchmarks.runs import cpu_ms, open_session
from larnn_export.families.larnn.config import LARNNConfig
from larnn_export.graph import build_graph
from larnn_export.networks import RecurrentClassifier
from larnn_export.publish import contract_of
from larnn_service.backend.onnx_backend import Graph, OnnxBackend
from larnn_service.engine.batching.state_pool import Arena, Slot
from larnn_service.native import LEVEL, library

STREAMS = (1, 16, 64, 256)


class NaiveStreams:
    """The obvious export, and a list of numpy arrays for each stream, stacked at every tick."""

    def __init__(self, network: RecurrentClassifier, streams: int) -> None:
        self._session = open_session(export_naive(network))
        self._inputs = [tensor.name for tensor in self._session.get_inputs()]
        state = [tensor[0].numpy() for tensor in naive_state(network, 1)]
        self._states = [list(state) for _ in range(streams)]

    def tick(self, x: Any) -> None:
        stacked = [np.stack(tensors) for tensors in zip(*self._states, strict=True)]
        feed = dict(zip(self._inputs, [x, *stacked], strict=True))
        _, *after = self._session.run(None, feed)
        self._states = [[tensor[row].copy() for tensor in after] for row in range(len(x))]


class EngineStreams:
    """The engine's arena and its backend; `level` as kernels.LEVEL, `none` for the plain graph."""

    def __init__(self, network: RecurrentClassifier, streams: int, level: str | None) -> None:
        contract = contract_of(network)
        environment = {} if level is None else {LEVEL: level}
        graph = build_graph(network, contract).SerializeToString()
        with patch.dict(os.environ, environment):
            self._backend = OnnxBackend(Graph(graph), contract, "cpu")
        self._arena = Arena(contract.initial_state())
        self._slots: list[Slot] = [self._arena.initial] * streams

    def tick(self, x: Any) -> None:
        moved: list[Slot] = []
        for start in range(0, len(x), ROWS):
            rows, slots = x[start : start + ROWS], self._slots[start : start + ROWS]
            lengths, ends = np.ones(len(rows), dtype=np.int64), [False] * len(rows)
            moved += self._arena.advance(self._backend, rows, lengths, slots, ends)[1]
        self._slots = moved


def ticks(
    rounds: Annotated[int, typer.Option(help="rounds; each line is the best of them")] = 7,
    quick: Quick = False,
    output: Output = None,
) -> None:
    """Steps per CPU second of S streams with full windows, a step each at a time."""
    if library() is None:
        print("larnn-kernels is not installed: the operator is left out; make kernels")
    lines: list[dict[str, Any]] = []
    for name, config in (QUICK if quick else SIZES).items():
        for streams in STREAMS[:1] if quick else STREAMS:
            lines.append(
                {"network": name, "streams": streams, **_measured(config, streams, rounds)}
            )
    report("ticks", {"command": "ticks", "lines": lines}, output)


def _measured(config: LARNNConfig, streams: int, rounds: int) -> dict[str, float]:
    torch.manual_seed(0)
    network = RecurrentClassifier(config).eval().requires_grad_(False)
    x = np.random.default_rng(0).normal(size=(streams, 1, config.channels)).astype(np.float32)
    both: dict[str, NaiveStreams | EngineStreams] = {
        "naive": NaiveStreams(network, streams),
        "ours": EngineStreams(network, streams, "none"),
    }
    if library() is not None:
        both["operator"] = EngineStreams(network, streams, None)
    for each in both.values():
        for _ in range(config.window_size + 1):
            each.tick(x)
    best = dict.fromkeys(both, float("inf"))
    for _ in range(rounds):
        for what, each in both.items():
            best[what] = min(best[what], *(cpu_ms(partial(each.tick, x)) for _ in range(5)))
    rates = {what: 1e3 * streams / ms for what, ms in best.items()}
    rates["ratio"] = rates["ours"] / rates["naive"]
    if "operator" in rates:
        rates["operator_over_ours"] = rates["operator"] / rates["ours"]
    return rates
