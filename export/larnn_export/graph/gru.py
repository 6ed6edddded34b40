"""The GRU layer as a graph: networks/gru.py by the runtime's own fused operator."""

from __future__ import annotations

import torch
from onnx import TensorProto
from torch import Tensor

from larnn_export.graph.builder import Pen
from larnn_export.networks.gru import GRULayer


def write_gru(
    pen: Pen, layer: GRULayer, x: str, state: dict[str, str], lengths: str
) -> tuple[str, dict[str, str]]:
    """x [batch, steps, n] → hidden states [batch, steps, n] and the next state by name."""
    biases = [_as_onnx(linear.bias) for linear in (layer.linear_ih, layer.linear_hh)]
    hiddens, hidden = pen.write_many(
        "GRU",
        2,
        pen.time_major(x),
        _as_onnx(layer.linear_ih.weight)[None],
        _as_onnx(layer.linear_hh.weight)[None],
        torch.cat(biases)[None],
        pen.write("Cast", lengths, to=TensorProto.INT32),
        pen.write("Unsqueeze", state["hidden"], [0]),
        hidden_size=layer.config.hidden_size,
        linear_before_reset=1,
    )
    # The operator gives zeros for a row without steps: its state stays what it was.
    moves = pen.write("Unsqueeze", pen.write("Greater", lengths, 0), [1])
    after = pen.write("Where", moves, pen.write("Squeeze", hidden, [0]), state["hidden"])
    return pen.time_major(pen.write("Squeeze", hiddens, [1])), {"hidden": after}


def _as_onnx(gates: Tensor) -> Tensor:
    """ONNX orders the gates z, r, n; torch r, z, n."""
    r, z, n = gates.chunk(3)
    return torch.cat([z, r, n])
