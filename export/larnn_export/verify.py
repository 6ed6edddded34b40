"""Parity: the exported graph against the network in torch, over chunks that carry the state on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from larnn_export.families.loop import Tensors
from larnn_export.networks import Network
from larnn_service.contract import INPUT, LENGTHS, LOGITS, StateTensor

BOUND = 1e-5
"""Of the difference, relative to max(1, |value|)."""
BATCH = 4
HORIZON = 16
"""Steps of the chunks that are compared, up to twice as many, where a state has no queue."""
EPSILON = 2.0**-23
"""A float32's last bit, relative to it."""
AMPLIFIED, LOOSEST = 10.0, 1e-3
"""A network may make more of rounding than BOUND: so much more of it, and so far, is no error."""


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of each channel: far from them a network may amplify rounding."""

    mean: Sequence[float]
    deviation: Sequence[float]

    def chunk(self, random: np.random.Generator, steps: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Noise [BATCH, steps, channels] of that scale, and the same rounded otherwise."""
        x = random.normal(self.mean, self.deviation, (BATCH, steps, len(self.mean)))
        x = x.astype(np.float32)
        return x, x * (1 + EPSILON * random.choice([-1, 1], x.shape)).astype(np.float32)


@dataclass(frozen=True)
class AnyToken:
    """Of so many; there is nothing in a token to be rounded."""

    size: int

    def chunk(self, random: np.random.Generator, steps: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Tokens [BATCH, steps, 1], twice."""
        x = random.integers(0, self.size, (BATCH, steps, 1))
        return x, x


def scale_of(record: Mapping[str, Any]) -> Scale | None:
    """Of the data that a run learned from, where its record says."""
    return Scale(**record["scale"]) if "scale" in record else None


def standard(channels: int) -> Scale:
    return Scale([0.0] * channels, [1.0] * channels)


class Recurrent(Protocol):
    """What can be compared: state in, state out, each row up to its length."""

    def state_tensors(self) -> list[StateTensor]: ...

    def initial_state(self, batch: int) -> Tensors: ...

    def __call__(self, x: Tensor, state: Tensors, lengths: Tensor) -> tuple[Tensor, Tensors]: ...


class ParityError(ValueError):
    """The graph does not compute what the network does; the text says where and by how much."""


@dataclass(frozen=True)
class Parity:
    """The largest differences met, relative to max(1, |value|)."""

    logits: float
    state: float
    steps: int
    """Steps that the longest row consumed."""


def verify(
    network: Network,
    model: onnx.ModelProto,
    seed: int = 0,
    scale: Scale | None = None,
) -> Parity:
    """Compare over chunks longer than the window in total. Raises ParityError beyond BOUND."""
    config = network.config
    tokens = AnyToken(config.vocabulary) if config.vocabulary else None
    like = tokens or scale or standard(_channels(model))
    return compare(network, model, like, _horizon(network), seed)


def _horizon(network: Network) -> int:
    """The slots of the longest queue in its state, or HORIZON where it has none."""
    slots = (tensor.shape[0] for tensor in network.state_tensors() if len(tensor.shape) > 1)
    return max(slots, default=HORIZON)


def _channels(model: onnx.ModelProto) -> int:
    x = next(tensor for tensor in model.graph.input if tensor.name == INPUT)
    channels: int = x.type.tensor_type.shape.dim[2].dim_value
    return channels


def compare(
    network: Recurrent,
    model: onnx.ModelProto,
    scale: Scale | AnyToken,
    horizon: int,
    seed: int = 0,
    output: str = LOGITS,
) -> Parity:
    """Run both over ragged chunks, shorter and longer than `horizon`, and compare every tensor: the
    output of that name, and the state.

    The chunks are noise of that scale, or tokens; each side carries its own state on. Raises
    ParityError beyond BOUND, or beyond what the network itself makes of inputs that are rounded
    otherwise.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    random = np.random.default_rng(seed)
    tensors = network.state_tensors()
    in_torch = shaken = network.initial_state(BATCH)
    in_graph: dict[str, NDArray[Any]] = {
        tensor.name: tensor.initial_array(BATCH) for tensor in tensors
    }
    worst, total = {"logits": 0.0, "state": 0.0}, 0
    for steps in (1, 3, horizon + 2, 1, 2 * horizon):
        lengths = np.array([steps, *random.integers(0, steps + 1, BATCH - 1)], dtype=np.int64)
        x, rounded = scale.chunk(random, steps)
        with torch.no_grad():
            counts = torch.from_numpy(lengths)
            logits, in_torch = network(torch.from_numpy(x), in_torch, counts)
            others, shaken = network(torch.from_numpy(rounded), shaken, counts)
        names = [output, *(tensor.next_name for tensor in tensors)]
        answers = session.run(names, {INPUT: x, LENGTHS: lengths, **in_graph})
        in_graph = {tensor.name: a for tensor, a in zip(tensors, answers[1:], strict=True)}
        for row, length in enumerate(lengths):
            found = (answers[0][row, :length], logits[row, :length], others[row, :length])
            worst["logits"] = max(worst["logits"], _compare(output, *found))
        for tensor, mine, other in zip(tensors, in_torch, shaken, strict=True):
            difference = _compare(tensor.name, in_graph[tensor.name], mine, other)
            worst["state"] = max(worst["state"], difference)
        total += steps
    return Parity(worst["logits"], worst["state"], total)


def _compare(name: str, graph: NDArray[Any], network: Tensor, shaken: Tensor) -> float:
    """The largest difference. Raises ParityError."""
    largest = _difference(graph, network.numpy())
    bound = max(BOUND, min(AMPLIFIED * _difference(shaken.numpy(), network.numpy()), LOOSEST))
    if not largest < bound:
        raise ParityError(f"{name} differs by {largest:.1e}, more than {bound:.0e}")
    return largest


def _difference(mine: NDArray[Any], other: NDArray[Any]) -> float:
    return float((np.abs(mine - other) / np.maximum(1, np.abs(other))).max(initial=0.0))
