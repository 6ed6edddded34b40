"""The LARNN stack in the paper's own form: a queue of cell states, all of it projected each step.

Slow and close to the equations. It is what `RecurrentClassifier` is proved equal to.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from larnn_export.families.larnn.cell import LARNNState
from larnn_export.families.larnn.layer import LARNNLayer
from larnn_export.families.loop import Tensors
from larnn_export.networks.stack import RecurrentClassifier

PlainState = tuple[LARNNState, ...]  # one for each layer


def plain_forward(
    network: RecurrentClassifier, x: Tensor, state: PlainState | None = None
) -> tuple[Tensor, PlainState]:
    """x [batch, steps, channels] → logits [batch, steps, classes] and the next state."""
    layers = _layers(network)
    before = state or tuple(layer.cell.initial_state(len(x)) for layer in layers)
    after: list[LARNNState] = []
    z = network.input(network.features(x))
    for layer, current in zip(layers, before, strict=True):
        outputs = []
        for x_t in z.unbind(1):
            current = layer.cell(x_t, current)
            outputs.append(current.hidden)
        z = z + torch.stack(outputs, dim=1)
        after.append(current)
    return network.output(z), tuple(after)


def projected_state(network: RecurrentClassifier, state: PlainState) -> Tensors:
    """The same state as `RecurrentClassifier` keeps it: keys and values for the cell states."""
    tensors: list[Tensor] = []
    for layer, plain in zip(_layers(network), state, strict=True):
        empty = layer.cell.empty_slots(plain.filled)[..., None]
        keys, values = (
            entry.masked_fill(empty, 0.0)[..., layer.order]
            for entry in _project(layer, plain.queue)
        )
        tensors += [plain.hidden, plain.cell, keys, values, plain.filled]
    return tuple(tensors)


def _project(layer: LARNNLayer, cell: Tensor) -> Tensors:
    """What enters the queue for cell states [..., n], by heads."""
    of, n = layer.cell, layer.config.hidden_size
    key = F.linear(cell, of.k_proj.weight[:, :n], of.k_proj.bias)
    value = F.linear(cell, of.v_proj.weight[:, :n], of.v_proj.bias)
    if layer.config.positional_encoding:
        return key, value
    return of.keys(key), of.values(value)


def _layers(network: RecurrentClassifier) -> list[LARNNLayer]:
    layers = [layer for layer in network.layers if isinstance(layer, LARNNLayer)]
    if len(layers) != len(network.layers):
        raise ValueError(f"{network.config.family} has no queue: only a LARNN has a plain form")
    return layers
