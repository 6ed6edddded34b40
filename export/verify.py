"""Parity: the exported graph against the network in torch, over chunks that carry the state on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from export.networks import RecurrentClassifier
from service.contract import INPUT, LENGTHS, LOGITS

BOUND = 1e-5
"""Of the difference, relative to max(1, |value|)."""
BATCH = 4


class ParityError(ValueError):
    """The graph does not compute what the network does; the text says where and by how much."""


@dataclass(frozen=True)
class Parity:
    """The largest differences met, relative to max(1, |value|)."""

    logits: float
    state: float
    steps: int
    """Steps that the longest row consumed."""


def verify(network: RecurrentClassifier, model: onnx.ModelProto, seed: int = 0) -> Parity:
    """Run both over ragged chunks, longer than the window in total, and compare every tensor.

    Each side carries its own state on. Raises ParityError beyond BOUND.
    """
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    random = np.random.default_rng(seed)
    tensors = network.state_tensors()
    in_torch = network.initial_state(BATCH)
    in_graph: dict[str, NDArray[Any]] = {
        tensor.name: tensor.initial_array(BATCH) for tensor in tensors
    }
    worst, total = {"logits": 0.0, "state": 0.0}, 0
    for steps in (1, 3, network.config.window_size + 2, 1, 2 * network.config.window_size):
        lengths = np.array([steps, *random.integers(0, steps + 1, BATCH - 1)], dtype=np.int64)
        x = _input(random, (BATCH, steps, network.config.channels), network.config.vocabulary)
        with torch.no_grad():
            logits, in_torch = network(torch.from_numpy(x), in_torch, torch.from_numpy(lengths))
        names = [LOGITS, *(tensor.next_name for tensor in tensors)]
        answers = session.run(names, {INPUT: x, LENGTHS: lengths, **in_graph})
        in_graph = {tensor.name: a for tensor, a in zip(tensors, answers[1:], strict=True)}
        for row, length in enumerate(lengths):
            _compare(LOGITS, answers[0][row, :length], logits[row, :length].numpy(), worst)
        for tensor, mine in zip(tensors, in_torch, strict=True):
            _compare(tensor.name, in_graph[tensor.name], mine.numpy(), worst)
        total += steps
    return Parity(worst["logits"], worst["state"], total)


def _input(random: np.random.Generator, shape: tuple[int, ...], vocabulary: int) -> NDArray[Any]:
    if vocabulary:
        return random.integers(0, vocabulary, shape)
    return random.normal(size=shape).astype(np.float32)


def _compare(
    name: str, graph: NDArray[Any], network: NDArray[Any], worst: dict[str, float]
) -> None:
    if not graph.size:
        return
    difference = np.abs(graph - network) / np.maximum(1, np.abs(network))
    largest = float(difference.max())
    if not largest < BOUND:
        raise ParityError(f"{name} differs by {largest:.1e}, more than {BOUND:.0e}")
    kind = "logits" if name == LOGITS else "state"
    worst[kind] = max(worst[kind], largest)
