"""Recurrent Residual Attention (arXiv 1709.03714): an LSTM with shortcuts from its own past.

    i, f, g, o = Wx·x + Wh·h_{t-1} + b
    c_t = σ(f)⊙c_{t-1} + σ(i)⊙tanh(g)
    a_t = Σ_{j=1..K} (w_j / Σw)·h_{t-j}
    h_t = σ(o)⊙tanh(c_t + a_t)

The weights w are learned and shared by all features. w_j = exp(v_j) keeps Σw positive, so that the
quotient is a softmax over the K ages; all start alike.

As a graph it is one Scan. The queue moves by one slot at each step, newest last. Its weighted sum
is a product with a constant, which adds in the order of age.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from larnn_export.families.builder import Pen
from larnn_export.families.config import (
    LongestMemory,
    NetworkConfig,
    WindowSize,
)
from larnn_export.families.family import Family
from larnn_export.families.gates import as_written, write_gates
from larnn_export.families.loop import Tensors, over_time
from larnn_export.families.operations import shift
from larnn_export.families.parts import at_length, start_gates, window_at_length
from larnn_service.contract import StateTensor


class RRAConfig(NetworkConfig):
    """Of a stack of RRA layers."""

    family: Literal["rra"] = "rra"
    window_size: WindowSize = 16
    longest_memory: LongestMemory = 0


class RRALayer(nn.Module):
    """State in, state out: cell, queue. K = `window_size`; h_{t-1} is the queue's newest slot."""

    def __init__(self, config: RRAConfig) -> None:
        super().__init__()
        self.config = config
        n = config.hidden_size
        self.linear_ih = nn.Linear(n, 4 * n)
        self.linear_hh = nn.Linear(n, 4 * n, bias=False)
        self.attention = nn.Parameter(torch.zeros(config.window_size))  # v, oldest first
        start_gates(self.linear_hh.weight, self.linear_ih.bias, config.longest_memory)

    def state_tensors(self) -> list[StateTensor]:
        n, k = self.config.hidden_size, self.config.window_size
        queue = f"the last {k} hidden states, newest last"
        return [
            StateTensor(name="cell", shape=(n,), dtype="float32", description="cell state"),
            StateTensor(name="queue", shape=(k, n), dtype="float32", description=queue),
        ]

    def weights(self) -> Tensor:
        """w / Σw [K], of the oldest hidden state first."""
        return self.attention.softmax(0)

    def forward(self, x: Tensor, state: Tensors, lengths: Tensor | None) -> tuple[Tensor, Tensors]:
        """x [batch, steps, n] → hidden states [batch, steps, n] and the state after `lengths`."""
        cell, queue = state
        weights = self.weights()

        def step(carry: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
            cell, queue = carry
            i, f, g, o = (inputs[0] + self.linear_hh(queue[:, -1])).chunk(4, dim=-1)
            cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
            attended = torch.einsum("k,bkn->bn", weights, queue)
            hidden = o.sigmoid() * (cell + attended).tanh()
            queue = torch.cat([queue[:, 1:], hidden[:, None]], dim=1)
            return (cell, queue), (hidden, cell)

        hiddens, cells = over_time(step, state, (self.linear_ih(x),))
        return hiddens, (
            at_length(cell, cells, lengths),
            window_at_length(queue, hiddens, lengths),
        )


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
                (state["queue"], "Q", shift(body, "Q", hidden)),
            ],
            scanned=[(pen.time_major(from_x), "from_x_t")],
            collected=[hidden, cell],
        )
    )
    return hiddens, {
        "cell": pen.at_length(state["cell"], cells, lengths),
        "queue": pen.window_at_length(state["queue"], hiddens, lengths, k),
    }


FAMILY = Family(
    title="RRA",
    carries="cell; the last K hidden states",
    source="[1709.03714](https://arxiv.org/abs/1709.03714)",
    preset=RRAConfig(hidden_size=63, layers=2, window_size=16, dropout=0.2, longest_memory=128),
    layer=RRALayer,
    write=write_rra,
    multiply_adds=lambda config: (8 * config.hidden_size + config.window_size) * config.hidden_size,
)
