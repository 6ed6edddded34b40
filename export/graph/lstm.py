"""The LSTM layer as a graph: export/networks/lstm.py by the runtime's own fused operator."""

from __future__ import annotations

import torch
from onnx import TensorProto
from torch import Tensor

from export.graph.builder import Pen
from export.networks.lstm import LSTMLayer


def write_lstm(
    pen: Pen, layer: LSTMLayer, x: str, state: dict[str, str], lengths: str
) -> tuple[str, dict[str, str]]:
    """x [batch, steps, n] → hidden states [batch, steps, n] and the next state by name."""
    bias = layer.linear_ih.bias
    hiddens, hidden, cell = pen.write_many(
        "LSTM",
        3,
        pen.time_major(x),
        _as_onnx(layer.linear_ih.weight)[None],
        _as_onnx(layer.linear_hh.weight)[None],
        torch.cat([_as_onnx(bias), torch.zeros_like(bias)])[None],
        pen.write("Cast", lengths, to=TensorProto.INT32),
        pen.write("Unsqueeze", state["hidden"], [0]),
        pen.write("Unsqueeze", state["cell"], [0]),
        hidden_size=layer.config.hidden_size,
    )
    # The operator gives zeros for a row without steps: its state stays what it was.
    moves = pen.write("Unsqueeze", pen.write("Greater", lengths, 0), [1])
    return pen.time_major(pen.write("Squeeze", hiddens, [1])), {
        name: pen.write("Where", moves, pen.write("Squeeze", after, [0]), state[name])
        for name, after in (("hidden", hidden), ("cell", cell))
    }


def _as_onnx(gates: Tensor) -> Tensor:
    """ONNX orders the gates i, o, f, g; torch i, f, g, o."""
    i, f, g, o = gates.chunk(4)
    return torch.cat([i, o, f, g])
