"""Recurrent Residual Attention (arXiv 1709.03714): an LSTM with shortcuts from its own past.

    i, f, g, o = Wx·x + Wh·h_{t-1} + b
    c_t = σ(f)⊙c_{t-1} + σ(i)⊙tanh(g)
    a_t = Σ_{j=1..K} (w_j / Σw)·h_{t-j}
    h_t = σ(o)⊙tanh(c_t + a_t)

The weights w are learned and shared by all features. w_j = exp(v_j) keeps Σw positive, so that the
quotient is a softmax over the K ages; all start alike.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from larnn_export.networks.config import NetworkConfig
from larnn_export.networks.loop import Tensors, over_time
from larnn_export.networks.parts import at_length, start_gates, window_at_length
from larnn_service.contract import StateTensor


class RRALayer(nn.Module):
    """State in, state out: cell, queue. K = `window_size`; h_{t-1} is the queue's newest slot."""

    def __init__(self, config: NetworkConfig) -> None:
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
