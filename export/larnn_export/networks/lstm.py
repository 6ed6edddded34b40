"""The vanilla LSTM layer, the baseline: the LARNN without attention, norms or ELU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from larnn_export.networks.config import NetworkConfig
from larnn_export.networks.loop import Tensors, over_time
from larnn_export.networks.parts import at_length, hidden_and_cell, start_gates
from larnn_service.contract import StateTensor


class LSTMLayer(nn.Module):
    """State in, state out: hidden, cell. Parameters and gate order as `nn.LSTMCell`."""

    def __init__(self, config: NetworkConfig) -> None:
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

        def step(carry: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
            hidden, cell = carry
            i, f, g, o = (inputs[0] + self.linear_hh(hidden)).chunk(4, dim=-1)
            cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
            hidden = o.sigmoid() * cell.tanh()
            return (hidden, cell), (hidden, cell)

        hidden, cell = state
        if lengths is None:
            return self._fast(x, hidden, cell)
        hiddens, cells = over_time(step, state, (self.linear_ih(x),))
        return hiddens, (at_length(hidden, hiddens, lengths), at_length(cell, cells, lengths))

    def _fast(self, x: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensors]:
        """The library's own loop, which keeps no cell state but the last."""
        bias = self.linear_ih.bias
        weights = [self.linear_ih.weight, self.linear_hh.weight, bias, torch.zeros_like(bias)]
        state = [hidden[None], cell[None]]
        hiddens, hidden, cell = torch.lstm(
            x, state, weights, True, 1, 0.0, self.training, False, True
        )
        return hiddens, (hidden[0], cell[0])
