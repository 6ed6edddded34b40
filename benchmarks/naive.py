"""The obvious export: the cell as the paper writes it, in torch's scan, by torch's exporter."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable
from typing import cast

import torch
from onnx import ModelProto
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan

from larnn_export.families.larnn.cell import LARNNState
from larnn_export.families.larnn.layer import LARNNLayer
from larnn_export.networks import RecurrentClassifier

PER_LAYER = 4


class NaiveClassifier(nn.Module):
    """The stack over `LARNNCell.forward`: the queue of raw cell states, projected at every step."""

    def __init__(self, network: RecurrentClassifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """x [batch, steps, channels] and each layer's LARNNState → logits, next state."""
        z, after = self.network.input(x), []
        for index, layer in enumerate(self.network.layers):
            carry, hidden = scan(
                _step_of(cast(LARNNLayer, layer).cell),
                tuple(state[PER_LAYER * index :][:PER_LAYER]),
                z.transpose(0, 1),
            )
            z = z + hidden.transpose(0, 1)
            after += carry
        return (self.network.output(z), *after)


def _step_of(cell: nn.Module):  # type: ignore[no-untyped-def]
    def step(carry, x):  # type: ignore[no-untyped-def]
        after = cell(x, LARNNState(*carry))
        return tuple(tensor.clone() for tensor in after), after.hidden.clone()

    return step


def naive_state(network: RecurrentClassifier, batch: int) -> list[Tensor]:
    """The state before the first step."""
    layers = cast(Iterable[LARNNLayer], network.layers)
    return [tensor for layer in layers for tensor in layer.cell.initial_state(batch)]


def export_naive(network: RecurrentClassifier) -> ModelProto:
    """As a user would who follows the manual. Takes some ten seconds."""
    batch, steps = torch.export.Dim("batch"), torch.export.Dim("steps")
    state = naive_state(network, 2)
    x = torch.zeros(2, 4, network.config.channels)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            NaiveClassifier(network).eval(),
            (x, *state),
            dynamo=True,
            dynamic_shapes=({0: batch, 1: steps}, tuple({0: batch} for _ in state)),
            opset_version=18,
            verbose=False,
        )
    assert program is not None
    return program.model_proto
