"""The batch-normalised LSTM layer as a graph: networks/bn_lstm.py, one Scan.

At inference a batch norm is a scale and a shift: those of both products are folded into weights and
bias, that of the cell state stays.
"""

from __future__ import annotations

from larnn_export.graph.builder import Pen, affine
from larnn_export.graph.gates import as_written, write_gates
from larnn_export.networks.bn_lstm import BNLSTMLayer


def write_bn_lstm(
    pen: Pen, layer: BNLSTMLayer, x: str, state: dict[str, str], lengths: str
) -> tuple[str, dict[str, str]]:
    """x [batch, steps, n] → hidden states [batch, steps, n] and the next state by name."""
    scale_x, shift_x = affine(layer.norm_ih)
    scale_h, shift_h = affine(layer.norm_hh)
    from_x = as_written(layer.linear_ih.weight.double() * scale_x[:, None])
    from_h = as_written(layer.linear_hh.weight.double() * scale_h[:, None])
    bias = as_written(shift_x + shift_h)

    body = Pen(pen, prefix=f"{x}_step_")
    gates = body.gemm("h", from_h, "from_x_t")
    cell, o = write_gates(body, layer.config.hidden_size, gates, "c")
    hidden = body.write("Mul", o, body.write("Tanh", body.norm(cell, layer.cell_norm)))
    hiddens, cells = (
        pen.time_major(collected)
        for collected in pen.scan(
            body,
            "bn_lstm_step",
            carried=[(state["hidden"], "h", hidden), (state["cell"], "c", cell)],
            scanned=[(pen.time_major(pen.linear(x, from_x, bias)), "from_x_t")],
            collected=[hidden, cell],
        )
    )
    return hiddens, {
        "hidden": pen.at_length(state["hidden"], hiddens, lengths),
        "cell": pen.at_length(state["cell"], cells, lengths),
    }
