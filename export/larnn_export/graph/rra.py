"""The RRA layer as a graph: networks/rra.py, one Scan.

The queue moves by one slot at each step, newest last. Its weighted sum is a product with a
constant, which adds in the order of age.
"""

from __future__ import annotations

from larnn_export.graph.builder import Pen
from larnn_export.graph.gates import as_written, write_gates
from larnn_export.graph.larnn_queue import write_shift
from larnn_export.networks.rra import RRALayer


def write_rra(
    pen: Pen, layer: RRALayer, x: str, state: dict[str, str], lengths: str
) -> tuple[str, dict[str, str]]:
    """x [batch, steps, n] → hidden states [batch, steps, n] and the next state by name."""
    k = layer.config.window_size
    from_x = pen.linear(x, as_written(layer.linear_ih.weight), as_written(layer.linear_ih.bias))
    before = pen.write("Squeeze", pen.write("Gather", state["queue"], [k - 1], axis=1), [1])

    body = Pen(pen, prefix=f"{x}_step_")
    gates = body.gemm("h", as_written(layer.linear_hh.weight), "from_x_t")
    cell, o = write_gates(body, layer.config.hidden_size, gates, "c")
    attended = body.write("Squeeze", body.write("MatMul", layer.weights()[None], "Q"), [1])
    hidden = body.write("Mul", o, body.write("Tanh", body.write("Add", cell, attended)))
    hiddens, cells = (
        pen.time_major(collected)
        for collected in pen.scan(
            body,
            "rra_step",
            carried=[
                (before, "h", hidden),
                (state["cell"], "c", cell),
                (state["queue"], "Q", write_shift(body, "Q", hidden)),
            ],
            scanned=[(pen.time_major(from_x), "from_x_t")],
            collected=[hidden, cell],
        )
    )
    return hiddens, {
        "cell": pen.at_length(state["cell"], cells, lengths),
        "queue": pen.window_at_length(state["queue"], hiddens, lengths, k),
    }
