"""The vanilla LSTM layer, the baseline: the LARNN without attention, norms or ELU.


As a graph the layer is one node, larnn.lstm.LstmLayer, and ONNX's LSTM the body of a function of
that name: a runtime that knows the operator of kernels/ runs that, any other runs the body. The
operator has the batch first, and knows row numbers, with which a run's state stays where it is.
"""

from __future__ import annotations

from typing import Literal

import torch
from onnx import TensorProto
from torch import Tensor, nn

from larnn_export.families.builder import Operand, Pen
from larnn_export.families.config import (
    LongestMemory,
    NetworkConfig,
)
from larnn_export.families.family import Family
from larnn_export.families.gates import run_loop
from larnn_export.families.loop import Tensors
from larnn_export.families.parts import hidden_and_cell, start_gates
from larnn_service.contract import NEXT_ROWS, ROWS, StateTensor


class LSTMConfig(NetworkConfig):
    """Of a stack of LSTM layers."""

    family: Literal["lstm"] = "lstm"
    longest_memory: LongestMemory = 0


class LSTMLayer(nn.Module):
    """State in, state out: hidden, cell. Parameters and gate order as `nn.LSTMCell`."""

    def __init__(self, config: LSTMConfig) -> None:
        super().__init__()
        self.config = config
        n = config.hidden_size
        self.linear_ih = nn.Linear(n, 4 * n)
        self.linear_hh = nn.Linear(n, 4 * n, bias=False)
        start_gates(self.linear_hh.weight, self.linear_ih.bias, config.longest_memory)

    def state_tensors(self) -> list[StateTensor]:
        return hidden_and_cell(self.config.hidden_size)

    def forward(self, x: Tensor, state: Tensors, lengths: Tensor | None) -> tuple[Tensor, Tensors]:
        """x [batch, steps, n] → hidden states [batch, steps, n] and the state after `lengths`."""
        if lengths is None:
            return self._fast(x, *state)
        return run_loop(self.linear_ih(x), self.linear_hh, torch.tanh, state, lengths)

    def _fast(self, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensors]:
        """The library's own loop, which keeps no cell state but the last."""
        bias = self.linear_ih.bias
        weights = [self.linear_ih.weight, self.linear_hh.weight, bias, torch.zeros_like(bias)]
        state = [hidden[None], cell[None]]
        hiddens, hidden, cell = torch.lstm(
            x, state, weights, True, 1, 0.0, self.training, False, True
        )
        return hiddens, (hidden[0], cell[0])


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


FAMILY = Family(
    title="LSTM",
    carries="hidden, cell",
    source="Hochreiter and Schmidhuber, 1997",
    preset=LSTMConfig(hidden_size=64, layers=2, dropout=0.2, longest_memory=128),
    layer=LSTMLayer,
    write=write_lstm,
    multiply_adds=lambda config: 8 * config.hidden_size**2,
    operator=DOMAIN,
)
