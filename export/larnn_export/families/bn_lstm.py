"""The batch-normalised LSTM (arXiv 1603.09025), its statistics shared over time.

The paper keeps statistics for each time step, which end with the training length; a stream does
not. In training each step is normalised by its own batch, and all steps feed one running mean and
variance, which inference uses.

As a graph it is one Scan. At inference a batch norm is a scale and a shift: those of both products
are folded into weights and bias, that of the cell state stays.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from larnn_export.families.builder import Pen, affine
from larnn_export.families.config import (
    LongestMemory,
    NetworkConfig,
)
from larnn_export.families.family import Family
from larnn_export.families.gates import run_loop, write_loop
from larnn_export.families.loop import Tensors
from larnn_export.families.parts import BatchNorm, hidden_and_cell, start_gates
from larnn_service.contract import StateTensor

FIRST_SCALE = 0.1
"""Of each norm: larger ones saturate tanh and stop its gradient (the paper's section 4)."""


class BNLSTMConfig(NetworkConfig):
    """Of a stack of batch-normalised LSTM layers."""

    family: Literal["bn-lstm"] = "bn-lstm"
    longest_memory: LongestMemory = 0


class BNLSTMLayer(nn.Module):
    """State in, state out: hidden, cell. Gate order i, f, g, o as in `nn.LSTMCell`.

    i, f, g, o = BN(Wx·x) + BN(Wh·h) + b; c = σ(f)⊙c + σ(i)⊙tanh(g); h = σ(o)⊙tanh(BN(c)).
    """

    def __init__(self, config: BNLSTMConfig) -> None:
        super().__init__()
        self.config = config
        n = config.hidden_size
        self.linear_ih = nn.Linear(n, 4 * n, bias=False)
        self.linear_hh = nn.Linear(n, 4 * n, bias=False)
        self.norm_ih = BatchNorm(4 * n)  # its shift is the gates' bias
        self.norm_hh = BatchNorm(4 * n)
        self.cell_norm = BatchNorm(n)
        for norm in (self.norm_ih, self.norm_hh, self.cell_norm):
            nn.init.constant_(norm.weight, FIRST_SCALE)
        start_gates(self.linear_hh.weight, self.norm_ih.bias, config.longest_memory)
        self.norm_hh.bias.requires_grad_(False)  # one bias is enough

    def state_tensors(self) -> list[StateTensor]:
        return hidden_and_cell(self.config.hidden_size)

    def forward(self, x: Tensor, state: Tensors, lengths: Tensor | None) -> tuple[Tensor, Tensors]:
        """x [batch, steps, n] → hidden states [batch, steps, n] and the state after `lengths`."""
        return run_loop(
            self.norm_ih(self.linear_ih(x)),
            lambda hidden: self.norm_hh(self.linear_hh(hidden)),
            lambda cell: self.cell_norm(cell).tanh(),
            state,
            lengths,
        )


def write_bn_lstm(
    pen: Pen, layer: BNLSTMLayer, x: str, state: dict[str, str], lengths: str
) -> tuple[str, dict[str, str]]:
    """x [batch, steps, n] → hidden states [batch, steps, n] and the next state by name."""
    scale_x, shift_x = affine(layer.norm_ih)
    scale_h, shift_h = affine(layer.norm_hh)
    from_x = layer.linear_ih.weight.double() * scale_x[:, None]
    from_h = layer.linear_hh.weight.double() * scale_h[:, None]

    def squash(body: Pen, cell: str) -> str:
        return body.write("Tanh", body.norm(cell, layer.cell_norm))

    weights = (from_x, from_h, shift_x + shift_h)
    return write_loop(pen, "bn_lstm_step", x, weights, squash, state, lengths)


FAMILY = Family(
    title="BN-LSTM",
    carries="hidden, cell",
    source="[1603.09025](https://arxiv.org/abs/1603.09025)",
    preset=BNLSTMConfig(hidden_size=63, layers=2, dropout=0.2, longest_memory=128),
    layer=BNLSTMLayer,
    write=write_bn_lstm,
    multiply_adds=lambda config: 8 * config.hidden_size**2,
)
