"""The batch-normalised LSTM (arXiv 1603.09025), its statistics shared over time.

The paper keeps statistics for each time step, which end with the training length; a stream does
not. In training each step is normalised by its own batch, and all steps feed one running mean and
variance, which inference uses.
"""

from __future__ import annotations

from torch import Tensor, nn

from larnn_export.networks.config import NetworkConfig
from larnn_export.networks.loop import Tensors, over_time
from larnn_export.networks.parts import BatchNorm, at_length, hidden_and_cell, start_gates
from larnn_service.contract import StateTensor

FIRST_SCALE = 0.1
"""Of each norm: larger ones saturate tanh and stop its gradient (the paper's section 4)."""


class BNLSTMLayer(nn.Module):
    """State in, state out: hidden, cell. Gate order i, f, g, o as in `nn.LSTMCell`.

    i, f, g, o = BN(Wx·x) + BN(Wh·h) + b; c = σ(f)⊙c + σ(i)⊙tanh(g); h = σ(o)⊙tanh(BN(c)).
    """

    def __init__(self, config: NetworkConfig) -> None:
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

        def step(carry: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
            hidden, cell = carry
            gates = inputs[0] + self.norm_hh(self.linear_hh(hidden))
            i, f, g, o = gates.chunk(4, dim=-1)
            cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
            hidden = o.sigmoid() * self.cell_norm(cell).tanh()
            return (hidden, cell), (hidden, cell)

        hidden, cell = state
        hiddens, cells = over_time(step, state, (self.norm_ih(self.linear_ih(x)),))
        return hiddens, (at_length(hidden, hiddens, lengths), at_length(cell, cells, lengths))
