"""The LSTM layer as a graph: networks/lstm.py by the runtime's own fused operator.

The layer is one node, larnn.lstm.LstmLayer, and ONNX's LSTM the body of a function of that name: a
runtime that knows the operator of kernels/ runs that, any other runs the body. The operator has the
batch first, and knows row numbers, with which a run's state stays where it is.
"""

from __future__ import annotations

import torch
from onnx import TensorProto
from torch import Tensor

from larnn_export.graph.builder import Operand, Pen
from larnn_export.networks.lstm import LSTMLayer
from larnn_service.contract import NEXT_ROWS, ROWS

DOMAIN, OPERATOR = "larnn.lstm", "LstmLayer"
STATE = ("hidden", "cell")
WEIGHTS = ("from_x", "from_hidden", "bias")
"""[1, 4n, inputs], [1, 4n, n] and [1, 8n], gates in the order i, o, f, g: those of ONNX's LSTM."""


def write_lstm(
    pen: Pen, layer: LSTMLayer, x: str, state: dict[str, str], lengths: str
) -> tuple[str, dict[str, str]]:
    """x [batch, steps, n] → hidden states [batch, steps, n] and the next state by name."""
    bias = layer.linear_ih.bias
    weights = (
        _as_onnx(layer.linear_ih.weight)[None],
        _as_onnx(layer.linear_hh.weight)[None],
        torch.cat([_as_onnx(bias), torch.zeros_like(bias)])[None],
    )
    n = layer.config.hidden_size
    return write_layer(pen, weights, n, n, x, state, lengths)


def write_layer(
    pen: Pen,
    weights: tuple[Operand, Operand, Operand],
    input_size: int,
    hidden_size: int,
    x: str,
    state: dict[str, str],
    lengths: str,
) -> tuple[str, dict[str, str]]:
    """The same by its WEIGHTS; x [batch, steps, inputs]. All of a graph have one hidden size."""
    if OPERATOR not in pen.functions:
        _define(pen, hidden_size)
    before = {name: state[name] for name in STATE}
    sizes = {"input_size": input_size, "hidden_size": hidden_size}
    return pen.layer(DOMAIN, OPERATOR, x, lengths, before, weights, **sizes)


def _define(pen: Pen, hidden_size: int) -> None:
    body = Pen()
    hiddens, *after = body.write_many(
        "LSTM",
        1 + len(STATE),
        body.time_major("x"),
        *WEIGHTS,
        body.write("Cast", "lengths", to=TensorProto.INT32),
        *(body.write("Unsqueeze", name, [0]) for name in STATE),
        hidden_size=hidden_size,
    )
    # It gives zeros for a row without steps: whose state stays what it was.
    moves = body.write("Unsqueeze", body.write("Greater", "lengths", 0), [1])
    outputs = [
        body.time_major(body.write("Squeeze", hiddens, [1])),
        *(
            body.write("Where", moves, body.write("Squeeze", value, [0]), name)
            for name, value in zip(STATE, after, strict=True)
        ),
    ]
    inputs = ["x", "lengths", ROWS, NEXT_ROWS, *STATE, *WEIGHTS]
    pen.define(DOMAIN, OPERATOR, body, inputs, outputs, ["input_size", "hidden_size"])


def _as_onnx(gates: Tensor) -> Tensor:
    """ONNX orders the gates i, o, f, g; torch i, f, g, o."""
    i, f, g, o = gates.chunk(4)
    return torch.cat([i, o, f, g])
