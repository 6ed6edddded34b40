"""Parity: the exported graph against the network in torch, over chunks that carry the state on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor

from larnn_export.families.loop import Tensors
from larnn_export.networks import Network, WithNovelty
from larnn_export.networks.novelty import NOVELTY
from larnn_export.onnx_run import Session, difference
from larnn_export.trial_inputs import AnyToken, Scale, TrialInputs, rounded_otherwise, standard
from larnn_service.contract import INPUT, LENGTHS, LOGITS, StateTensor
from larnn_service.tensors import File

BOUND = 1e-5
"""Of the difference, relative to max(1, |value|)."""
BATCH = 4
HORIZON = 16
"""Steps of the chunks that are compared, up to twice as many, where a state has no queue."""
AMPLIFIED, LOOSEST = 10.0, 1e-3
"""A network may make more of rounding than BOUND: so much more of it, and so far, is no error."""


class Recurrent(Protocol):
    """What can be compared: state in, state out, each row up to its length. Called, it gives its
    outputs one after the other, and then the state."""

    def state_tensors(self) -> list[StateTensor]: ...

    def initial_state(self, batch: int) -> Tensors: ...

    def __call__(self, x: Tensor, state: Tensors, lengths: Tensor) -> tuple[Any, ...]: ...


class ParityError(ValueError):
    """The graph does not compute what the network does; the text says where and by how much."""


@dataclass(frozen=True)
class Parity:
    """The largest differences met, relative to max(1, |value|)."""

    outputs: Mapping[str, float]
    """Of each output, by its name."""
    state: float
    steps: int
    """Steps that the longest row consumed."""

    @property
    def logits(self) -> float:
        """Of a classifier's one output."""
        return self.outputs[LOGITS]


def verify(
    network: Network,
    model: onnx.ModelProto,
    seed: int = 0,
    scale: Scale | None = None,
) -> Parity:
    """Compare over chunks longer than the window in total. Raises ParityError beyond BOUND."""
    config = network.config
    tokens = AnyToken(config.vocabulary) if config.vocabulary else None
    inputs = tokens or scale or standard(_channels(model))
    outputs = (LOGITS, NOVELTY) if isinstance(network, WithNovelty) else (LOGITS,)
    return compare(network, model, inputs, _horizon(network), seed, outputs=outputs)


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
    inputs: TrialInputs,
    horizon: int,
    seed: int = 0,
    *,
    outputs: Sequence[str] = (LOGITS,),
    context: Mapping[str, NDArray[Any]] = MappingProxyType({}),
    tolerance: float | None = None,
) -> Parity:
    """Run both over ragged chunks, shorter and longer than `horizon`, and compare every tensor: the
    outputs of these names, and the state.

    Each side carries its own state on. The graph is told `context`, each tensor [BATCH, *shape];
    the network knows it. Raises ParityError beyond `tolerance`; without one, beyond BOUND and
    beyond what the network itself makes of inputs that are rounded otherwise. Raises RunError where
    the graph cannot be run.
    """
    session = Session(model.SerializeToString())
    random = np.random.default_rng(seed)
    tensors = network.state_tensors()
    in_torch = shaken = network.initial_state(BATCH)
    in_graph = {
        tensor.name: as_numpy(start)
        if isinstance(tensor.initial, File) or tensor.dtype == "bfloat16"
        else tensor.initial_array(BATCH)
        for tensor, start in zip(tensors, in_torch, strict=True)
    }
    names = [*outputs, *(tensor.next_name for tensor in tensors)]
    worst = dict.fromkeys([*outputs, *in_graph], 0.0)
    chunks = (1, 3, horizon + 2, 1, 2 * horizon)
    x = inputs.draw(random, BATCH, sum(chunks))
    others = rounded_otherwise(random, x)
    for steps in chunks:
        lengths = np.array([steps, *random.integers(0, steps + 1, BATCH - 1)], dtype=np.int64)
        with torch.no_grad():
            counts = torch.from_numpy(lengths)
            *answers, in_torch = network(torch.from_numpy(x[:, :steps]), in_torch, counts)
            *doubtful, shaken = network(torch.from_numpy(others[:, :steps]), shaken, counts)
        found = session.run(names, {INPUT: x[:, :steps], LENGTHS: lengths, **in_graph, **context})
        in_graph = dict(zip(in_graph, found[len(outputs) :], strict=True))
        inside = torch.arange(steps) < counts[:, None]
        by_graph = [*(a[inside.numpy()] for a in found[: len(outputs)]), *in_graph.values()]
        by_torch = [*(a[inside] for a in answers), *in_torch]
        rounded = [*(a[inside] for a in doubtful), *shaken]
        for name, *three in zip(worst, by_graph, by_torch, rounded, strict=True):
            worst[name] = max(worst[name], _compare(name, three, tolerance))
        x, others = x[:, steps:], others[:, steps:]
    state = max((worst[tensor.name] for tensor in tensors), default=0.0)
    return Parity({name: worst[name] for name in outputs}, state, sum(chunks))


def as_numpy(tensor: Tensor) -> NDArray[Any]:
    """A bfloat16, which numpy does not have, as float32."""
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _compare(name: str, three: Sequence[Any], tolerance: float | None) -> float:
    """The largest difference, of what graph, network and rounded network gave. Raises
    ParityError."""
    graph, network, shaken = three
    largest = difference(graph, as_numpy(network))
    bound = tolerance
    if bound is None:
        amplified = AMPLIFIED * difference(as_numpy(shaken), as_numpy(network))
        bound = max(BOUND, min(amplified, LOOSEST))
    if not largest < bound:
        raise ParityError(f"{name} differs by {largest:.1e}, more than {bound:.0e}")
    return largest
