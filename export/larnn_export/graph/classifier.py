"""The recurrent stack and the classifier around it as one ONNX model."""

from __future__ import annotations

import onnx

from larnn_export.families import FAMILIES
from larnn_export.families.builder import Pen
from larnn_export.graph.model import model_of
from larnn_export.graph.novelty import write_novelty
from larnn_export.graph.phone_filters import write_filters
from larnn_export.networks import (
    Network,
    Plain,
    RawClassifier,
    RecurrentClassifier,
    WithNovelty,
)
from larnn_export.networks.novelty import NOVELTY, Novelty
from larnn_export.networks.stack import Channels, Tokens
from larnn_service.contract import INPUT, LENGTHS, LOGITS, Contract


def build_graph(network: Network, contract: Contract) -> onnx.ModelProto:
    """The network in evaluation mode, with the contract in the metadata.

    x float32 [batch, steps, channels], lengths int64 [batch] and each state tensor in; logits
    [batch, steps, classes] and each next state tensor out, and where the network tells it novelty
    [batch, steps, 1].
    """
    if not isinstance(network, WithNovelty):
        pen = Pen(in_place=not isinstance(network, RawClassifier))
        _write_classifier(pen, network)
        return model_of(pen, contract, "larnn")
    pen = Pen(in_place=False)
    _write_classifier(pen, network.network)
    return _with_novelty(pen, network.novelty, contract)


def add_novelty(model: onnx.ModelProto, novelty: Novelty, contract: Contract) -> onnx.ModelProto:
    """A graph of `build_graph` that tells novelty too, by such a contract: its own nodes and
    constants stay, to the bit."""
    pen = Pen(in_place=False)
    pen.nodes = list(model.graph.node)
    pen.constants = {constant.name: constant for constant in model.graph.initializer}
    pen.functions = {function.name: function for function in model.functions}
    return _with_novelty(pen, novelty, contract)


def _with_novelty(pen: Pen, novelty: Novelty, contract: Contract) -> onnx.ModelProto:
    output, next_state = write_novelty(pen, novelty, INPUT, LENGTHS)
    pen.rename(output, NOVELTY)
    for name, value in next_state.items():
        pen.rename(value, f"next_{name}")
    return model_of(pen, contract, "larnn")


def _write_classifier(pen: Pen, network: Plain) -> None:
    """Logits, and the next state."""
    channels = INPUT
    if isinstance(network, RawClassifier):
        state = {tensor.name: tensor.name for tensor in network.filters.state_tensors()}
        channels, next_state = write_filters(pen, network.filters, INPUT, state, LENGTHS)
        for name, value in next_state.items():
            pen.rename(value, f"next_{name}")
        network = network.network
    z = _write_input(pen, network, channels)
    family = FAMILIES[network.config.family]
    for index, layer in enumerate(network.layers):
        names = [tensor.name for tensor in layer.state_tensors()]  # type: ignore[operator]
        state = {name: f"{name}_{index}" for name in names}
        output, next_state = family.write(pen, layer, z, state, LENGTHS)
        z = pen.write("Add", z, output)
        for name in names:
            pen.rename(next_state[name], f"next_{name}_{index}")
    pen.rename(pen.linear(z, network.output.weight, network.output.bias), LOGITS)


def _write_input(pen: Pen, network: RecurrentClassifier, x: str) -> str:
    """x [batch, steps, channels] → [batch, steps, n]"""
    layer = network.input
    if isinstance(layer, Tokens):
        return pen.write("Gather", layer.weight, pen.write("Squeeze", x, [2]), axis=0)
    assert isinstance(layer, Channels)
    if scale := network.config.fine_scale:
        x = pen.write("Concat", x, pen.write("Asinh", pen.write("Div", x, scale)), axis=2)
    return pen.elu(pen.linear(x, layer.weight, layer.bias))
