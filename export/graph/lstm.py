"""The LSTM layer as a graph: export/networks/lstm.py, one Scan."""

from __future__ import annotations

from torch import nn

from export.graph.builder import Pen
from export.networks.lstm import LSTMLayer


def write_lstm(
    pen: Pen, layer: LSTMLayer, x: str, state: dict[str, str], lengths: str
) -> tuple[str, dict[str, str]]:
    """x [batch, steps, n] → hidden states [batch, steps, n] and the next state by name."""
    from_x = pen.time_major(pen.linear(x, layer.linear_ih.weight, layer.linear_ih.bias))
    body = Pen(pen, prefix=f"{x}_step_")
    pre_activation = body.write("Add", "from_x_t", body.linear("h", layer.linear_hh.weight))
    cell, gate = body.lstm_gates(pre_activation, "c", nn.Identity())
    hidden = body.write("Mul", gate, body.write("Tanh", cell))
    hiddens, cells = (
        pen.time_major(collected)
        for collected in pen.scan(
            body,
            "lstm_step",
            carried=[(state["hidden"], "h", hidden), (state["cell"], "c", cell)],
            scanned=[(from_x, "from_x_t")],
            collected=[hidden, cell],
        )
    )
    return hiddens, {
        "hidden": pen.at_length(state["hidden"], hiddens, lengths),
        "cell": pen.at_length(state["cell"], cells, lengths),
    }
