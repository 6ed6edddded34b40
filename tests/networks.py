"""Small networks of every kind, run in torch and as graphs by one signature."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from larnn_export.families import FAMILIES, NetworkConfig, configure
from larnn_export.families.parts import BatchNorm
from larnn_export.graph import build_graph
from larnn_export.networks import Network, RawClassifier, RecurrentClassifier
from larnn_export.publish import contract_of
from larnn_service.contract import INPUT, LENGTHS, LOGITS

Array = NDArray[Any]
State = dict[str, Array]
Advance = Callable[[Array, Array, State], tuple[Array, State]]
"""(x [batch, steps, channels], lengths [batch], state) → logits [batch, steps, classes], state."""

CHANNELS = 9
SMALL: dict[str, Any] = {
    "family": "larnn",
    "channels": CHANNELS,
    "hidden_size": 8,
    "layers": 2,
    "window_size": 3,
    "heads": 2,
    "memory_slots": 4,
    "memory_width": 5,
    "zero_attention": False,
}
"""Of which each family takes the fields that it has."""
WIDE = {"hidden_size": 16, "heads": 4, "memory_slots": 8, "memory_width": 16}
STEPWISE = [name for name, family in FAMILIES.items() if family.step_by_step]
CHANGES: dict[str, dict[str, Any]] = {
    "layer-mode": {"mode": "layer"},
    "position": {"positional_encoding": True},
    "batch-norm": {"normalisation": "batch"},
    "batch-norm-position": {"normalisation": "batch", "positional_encoding": True},
    "no-norm": {"normalisation": "none"},
    "coupled": {"coupled_gates": True},
    "coupled-layer-mode": {"coupled_gates": True, "mode": "layer"},
    "linear-keys": {"activate_keys_values": False},
    "linear-keys-position": {"activate_keys_values": False, "positional_encoding": True},
    "window-of-one": {"window_size": 1},
    "window-of-one-position": {"window_size": 1, "positional_encoding": True},
    "one-head": {"heads": 1, "layers": 1, "window_size": 5},
    "odd-width": {"hidden_size": 9, "heads": 9, "layers": 3},
    "width-of-16-position": {"hidden_size": 16, "heads": 4, "positional_encoding": True},
    **{f"width-of-16-{family}": {"family": family, **WIDE} for family in STEPWISE},
    "odd-width-lstm": {"family": "lstm", "hidden_size": 9, "layers": 3},
    "odd-width-gru": {"family": "gru", "hidden_size": 9, "layers": 3},
    "window-of-one-rra": {"family": "rra", "window_size": 1},
    "window-of-one-attention": {"family": "attention", "window_size": 1},
    "wide-window-attention": {"family": "attention", "window_size": 7},
    "one-head-mann": {"family": "mann", "heads": 1, "memory_slots": 2, "layers": 1},
    **{family: {"family": family} for family in FAMILIES},
    "fine": {"fine_scale": 0.1},
    "raw": {"fine_scale": 0.1},
}
"""Variants, and every family by its own name: one that is added to the registry is tested."""
LARNNS = [
    name
    for name, changes in CHANGES.items()
    if changes.get("family", "larnn") == "larnn" and name != "raw"
]
"""The networks of LARNN layers alone."""
LSTMS = [name for name, changes in CHANGES.items() if changes.get("family") == "lstm"]


def config(name: str) -> Any:
    """The configuration of that name, with the fields of its family."""
    return configure({**SMALL, **CHANGES[name]})


def random_network(config: NetworkConfig) -> RecurrentClassifier:
    """In evaluation mode, with no weight and no statistic at its neutral value."""
    torch.manual_seed(0)
    network = RecurrentClassifier(config).eval().requires_grad_(False)
    for parameter in network.parameters():
        parameter.mul_(0.5).add_(0.1 * torch.randn_like(parameter))
    for module in network.modules():
        if isinstance(module, BatchNorm):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.normal_(std=0.3)
            module.running_var.uniform_(0.5, 2.0)
    return network


@cache
def network(name: str) -> Network:
    """Of that name; raw, behind the phone's filters."""
    mine = random_network(config(name))
    return RawClassifier(mine).eval() if name == "raw" else mine


@cache
def session(name: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    mine = network(name)
    graph = build_graph(mine, contract_of(mine)).SerializeToString()
    return onnxruntime.InferenceSession(graph, options, ["CPUExecutionProvider"])


def row_of(state: State, row: int) -> State:
    """One row's."""
    return {name: value[[row]] for name, value in state.items()}


def channels_of(name: str) -> int:
    """What it takes of a signal's channels: the first so many."""
    return contract_of(network(name)).input.width


def initial_state(name: str, batch: int) -> State:
    tensors = network(name).state_tensors()
    return {tensor.name: tensor.initial_array(batch) for tensor in tensors}


def in_torch(name: str) -> Advance:
    mine, channels = network(name), channels_of(name)

    def advance(x: Array, lengths: Array, state: State) -> tuple[Array, State]:
        tensors = tuple(torch.from_numpy(tensor) for tensor in state.values())
        logits, after = mine(
            torch.from_numpy(x[..., :channels]), tensors, torch.from_numpy(lengths)
        )
        return logits.numpy(), dict(zip(state, (t.numpy() for t in after), strict=True))

    return advance


def in_graph(name: str) -> Advance:
    mine, channels = session(name), channels_of(name)

    def advance(x: Array, lengths: Array, state: State) -> tuple[Array, State]:
        names = [LOGITS, *(f"next_{tensor}" for tensor in state)]
        logits, *after = mine.run(names, {INPUT: x[..., :channels], LENGTHS: lengths, **state})
        return logits, dict(zip(state, after, strict=True))

    return advance


def signal(batch: int, steps: int, seed: int = 0) -> Array:
    shape = (batch, steps, CHANNELS)
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def difference(mine: Array, other: Array) -> float:
    """The largest, relative to max(1, |value|); not a number counts as infinite."""
    relative = np.abs(mine - other) / np.maximum(1, np.abs(other))
    return float(np.nan_to_num(relative, nan=np.inf).max(initial=0.0))


def state_difference(mine: State, other: State) -> float:
    return max(difference(mine[name], other[name]) for name in other)
