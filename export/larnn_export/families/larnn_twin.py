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
from larnn_export.families.gates import run_loop, write_loop
from larnn_export.families.loop import Tensors
from larnn_export.families.parts import hidden_and_cell, start_gates
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
        from_x = F.linear(x, weight, bias)
        return run_loop(from_x, lambda h: F.linear(h, recurrent), F.elu, state, lengths)


def write_twin(
    pen: Pen, layer: TwinLayer, x: str, state: dict[str, str], lengths: str
) -> tuple[str, dict[str, str]]:
    """x [batch, steps, n] → hidden states [batch, steps, n] and the next state by name."""
    weights = layer.gate_parameters()

    def squash(body: Pen, cell: str) -> str:
        return body.write("Elu", cell)

    return write_loop(pen, "twin_step", x, weights, squash, state, lengths)


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
