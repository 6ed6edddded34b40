"""The LARNN's twin without attention: the same cell, to tell what attention is worth.

i, f, o = σ(W·x + U·h + b);  g = tanh(W·x + U·h + b);  c' = f⊙c + i⊙g;  h' = o⊙ELU(c')

What differs from the LSTM is the LARNN's own: ELU on the cell state, and gates that may be coupled.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from larnn_export.families.builder import Pen
from larnn_export.families.config import LongestMemory, NetworkConfig
from larnn_export.families.family import Family
from larnn_export.families.gates import as_written, write_gates
from larnn_export.families.loop import Tensors, over_time
from larnn_export.families.parts import at_length, hidden_and_cell, start_gates
from larnn_service.contract import StateTensor


class TwinConfig(NetworkConfig):
    """Of a stack of LARNN layers without attention."""

    family: Literal["larnn-twin"] = "larnn-twin"
    longest_memory: LongestMemory = 0
    coupled_gates: bool = False
    """i = 1 - f: a cell is a weighted mean of what it took in, and bounded."""


class TwinLayer(nn.Module):
    """State in, state out: hidden, cell. Gates in the order i, f, g, o; coupled f, g, o."""

    def __init__(self, config: TwinConfig) -> None:
        super().__init__()
        self.config = config
        n = config.hidden_size
        gates = (3 if config.coupled_gates else 4) * n
        self.linear_ih = nn.Linear(n, gates)
        self.linear_hh = nn.Linear(n, gates, bias=False)
        start_gates(self.linear_hh.weight, self.linear_ih.bias, config.longest_memory)

    def state_tensors(self) -> list[StateTensor]:
        return hidden_and_cell(self.config.hidden_size)

    def gate_parameters(self) -> tuple[Tensor, Tensor, Tensor]:
        """W, U [4n, n] and b [4n]. Of coupled gates σ(-a) = 1 - σ(a) makes the first."""
        own = (self.linear_ih.weight, self.linear_hh.weight, self.linear_ih.bias)
        if not self.config.coupled_gates:
            return own
        n = self.config.hidden_size
        weight, recurrent, bias = (torch.cat([-each[:n], each]) for each in own)
        return weight, recurrent, bias

    def forward(self, x: Tensor, state: Tensors, lengths: Tensor | None) -> tuple[Tensor, Tensors]:
        """x [batch, steps, n] → hidden states [batch, steps, n] and the state after `lengths`."""
        weight, recurrent, bias = self.gate_parameters()

        def step(carry: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
            hidden, cell = carry
            i, f, g, o = (inputs[0] + F.linear(hidden, recurrent)).chunk(4, dim=-1)
            cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
            hidden = o.sigmoid() * F.elu(cell)
            return (hidden, cell), (hidden, cell)

        hiddens, cells = over_time(step, state, (F.linear(x, weight, bias),))
        hidden, cell = state
        return hiddens, (at_length(hidden, hiddens, lengths), at_length(cell, cells, lengths))


def write_twin(
    pen: Pen, layer: TwinLayer, x: str, state: dict[str, str], lengths: str
) -> tuple[str, dict[str, str]]:
    """x [batch, steps, n] → hidden states [batch, steps, n] and the next state by name."""
    weight, recurrent, bias = map(as_written, layer.gate_parameters())
    from_x = pen.linear(x, weight, bias)
    body = Pen(pen, prefix=f"{x}_step_")
    gates = body.gemm("h", recurrent, "from_x_t")
    cell, o = write_gates(body, layer.config.hidden_size, gates, "c")
    hidden = body.write("Mul", o, body.write("Elu", cell))
    collected = pen.scan(
        body,
        "twin_step",
        carried=[(state["hidden"], "h", hidden), (state["cell"], "c", cell)],
        scanned=[(pen.time_major(from_x), "from_x_t")],
        collected=[hidden, cell],
    )
    hiddens, cells = map(pen.time_major, collected)
    return hiddens, {
        "hidden": pen.at_length(state["hidden"], hiddens, lengths),
        "cell": pen.at_length(state["cell"], cells, lengths),
    }


FAMILY = Family(
    title="LARNN without attention",
    carries="hidden, cell",
    source="the LARNN's cell alone",
    preset=TwinConfig(
        hidden_size=73, layers=2, dropout=0.2, longest_memory=128, coupled_gates=True
    ),
    layer=TwinLayer,
    write=write_twin,
    multiply_adds=lambda config: 8 * config.hidden_size**2,
)
