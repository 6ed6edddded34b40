"""An LSTM's gates in the loop over time, which the families with a hidden and a cell state share.

i, f, o = σ(…);  g = tanh(…);  c' = f⊙c + i⊙g;  h' = o⊙squash(c')
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from larnn_export.families.builder import Pen
from larnn_export.families.loop import Tensors, over_time
from larnn_export.families.parts import at_length


def run_loop(
    from_x: Tensor,
    from_hidden: Callable[[Tensor], Tensor],
    squash: Callable[[Tensor], Tensor],
    state: Tensors,
    lengths: Tensor | None,
) -> tuple[Tensor, Tensors]:
    """The loop in torch.

    from_x [batch, steps, 4n] are the gates' inputs with their bias, to which `from_hidden` adds
    those of a hidden state, in the order i, f, g, o. Returns the hidden states [batch, steps, n]
    and the state, hidden and cell, after `lengths`.
    """

    def step(carry: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
        hidden, cell = carry
        i, f, g, o = (inputs[0] + from_hidden(hidden)).chunk(4, dim=-1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * squash(cell)
        return (hidden, cell), (hidden, cell)

    hiddens, cells = over_time(step, state, (from_x,))
    hidden, cell = state
    return hiddens, (at_length(hidden, hiddens, lengths), at_length(cell, cells, lengths))


def write_loop(
    pen: Pen,
    name: str,
    x: str,
    weights: tuple[Tensor, Tensor, Tensor],
    squash: Callable[[Pen, str], str],
    state: dict[str, str],
    lengths: str,
) -> tuple[str, dict[str, str]]:
    """The loop as a Scan of that name, for families that the fused operator does not fit.

    `weights` are W [4n, inputs], U [4n, n] and b [4n] in the order i, f, g, o; `squash` writes into
    the body what the cell state passes. Returns the hidden states [batch, steps, n] and the next
    state by name.
    """
    weight, recurrent, bias = map(as_written, weights)
    body = Pen(pen, prefix=f"{x}_step_")
    gates = body.gemm("h", recurrent, "from_x_t")
    cell, o = write_gates(body, len(bias) // 4, gates, "c")
    hidden = body.write("Mul", o, squash(body, cell))
    hiddens, cells = (
        pen.time_major(collected)
        for collected in pen.scan(
            body,
            name,
            carried=[(state["hidden"], "h", hidden), (state["cell"], "c", cell)],
            scanned=[(pen.time_major(pen.linear(x, weight, bias)), "from_x_t")],
            collected=[hidden, cell],
        )
    )
    return hiddens, {
        "hidden": pen.at_length(state["hidden"], hiddens, lengths),
        "cell": pen.at_length(state["cell"], cells, lengths),
    }


def write_gates(body: Pen, n: int, pre_activation: str, cell: str) -> tuple[str, str]:
    """The next cell state σ(f)⊙c + σ(i)⊙tanh(g) and σ(o), of [batch, 4n] in the order written."""
    squashed, candidate = body.write_many("Split", 2, pre_activation, [3 * n, n], axis=1)
    i, f, o = body.write_many("Split", 3, body.write("Sigmoid", squashed), axis=1, num_outputs=3)
    entered = body.write("Mul", i, body.write("Tanh", candidate))
    return body.write("Add", body.write("Mul", f, cell), entered), o


def as_written(gates: Tensor) -> Tensor:
    """Rows in the order i, f, o, g, from torch's i, f, g, o: the sigmoids side by side."""
    i, f, g, o = gates.chunk(4)
    return torch.cat([i, f, o, g])
