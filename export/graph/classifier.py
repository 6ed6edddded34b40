"""The recurrent stack and the classifier around it as one ONNX model."""

from __future__ import annotations

from collections.abc import Callable

import onnx

from export.graph.builder import Pen
from export.graph.larnn import write_larnn
from export.graph.lstm import write_lstm
from export.graph.model import model_of
from export.graph.phone_filters import write_filters
from export.networks import Network, RawClassifier, RecurrentClassifier
from service.contract import INPUT, LENGTHS, LOGITS, Contract

WRITERS: dict[str, Callable[..., tuple[str, dict[str, str]]]] = {
    "larnn": write_larnn,
    "lstm": write_lstm,
}


def build_graph(network: Network, contract: Contract) -> onnx.ModelProto:
    """The network in evaluation mode, with the contract in the metadata.

    x float32 [batch, steps, channels], lengths int64 [batch] and each state tensor in; logits
    [batch, steps, classes] and each next state tensor out.
    """
    pen, channels = Pen(in_place=not isinstance(network, RawClassifier)), INPUT
    if isinstance(network, RawClassifier):
        state = {tensor.name: tensor.name for tensor in network.filters.state_tensors()}
        channels, next_state = write_filters(pen, network.filters, INPUT, state, LENGTHS)
        for name, value in next_state.items():
            pen.rename(value, f"next_{name}")
        network = network.network
    z = pen.linear(_features(pen, network, channels), network.input.weight, network.input.bias)
    z = pen.write("Elu", z)
    write_layer = WRITERS[network.config.family]
    for index, layer in enumerate(network.layers):
        names = [tensor.name for tensor in layer.state_tensors()]  # type: ignore[operator]
        state = {name: f"{name}_{index}" for name in names}
        output, next_state = write_layer(pen, layer, z, state, LENGTHS)
        z = pen.write("Add", z, output)
        for name in names:
            pen.rename(next_state[name], f"next_{name}_{index}")
    pen.rename(pen.linear(z, network.output.weight, network.output.bias), LOGITS)
    return model_of(pen, contract, "larnn")


def _features(pen: Pen, network: RecurrentClassifier, channels: str) -> str:
    if not (scale := network.config.fine_scale):
        return channels
    fine = pen.write("Asinh", pen.write("Div", channels, scale))
    return pen.write("Concat", channels, fine, axis=2)
