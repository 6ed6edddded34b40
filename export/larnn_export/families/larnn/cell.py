"""The LARNN cell (arXiv 1808.05578, section 3), step by step as the paper writes it.

An LSTM that at each step queries its own last k cell states with multi-head attention. Two things
differ from the published code on purpose: every layer has cells of its own, and slots of the queue
that are still empty get zero attention.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from larnn_export.families.larnn.config import LARNNConfig
from larnn_export.families.parts import normalisation, positional_encoding, start_gates


class LARNNState(NamedTuple):
    """The recurrent state as the paper has it."""

    hidden: Tensor  # [batch, n]
    cell: Tensor  # [batch, n]
    queue: Tensor  # [batch, k, n]: the last k cell states, newest last
    filled: Tensor  # [batch] int64: how many slots hold one


class LARNNCell(nn.Module):
    """One LARNN cell: parameters and equations. n = hidden size, k = window size, d = n / heads."""

    position: Tensor

    def __init__(self, config: LARNNConfig) -> None:
        super().__init__()
        n = config.hidden_size
        self.config = config
        self.q_proj = nn.Linear(2 * n, n)
        self.k_proj = nn.Linear(n + config.position_features, n)
        self.v_proj = nn.Linear(n + config.position_features, n)
        self.out_proj = nn.Linear(n, n)
        gates = (3 if config.coupled_gates else 4) * n
        if config.mode == "residual":
            self.linear_ih = nn.Linear(n, gates)
            self.linear_hh = nn.Linear(n, gates, bias=False)
            self.linear_ah = nn.Linear(n, gates, bias=False)
        else:
            self.linear = nn.Linear(3 * n, gates)
        on_keys = config.normalisation if config.activate_keys_values else "none"
        self.k_norm = normalisation(on_keys, n)
        self.v_norm = normalisation(on_keys, n)
        self.attention_norm = normalisation(config.normalisation, n)
        self.cell_norm = normalisation(config.normalisation, n)
        self.hidden_norm = normalisation(config.normalisation, n)
        encoding = positional_encoding(config.window_size, config.position_features)
        self.register_buffer("position", encoding, persistent=False)
        self._initialise()

    @torch.no_grad()
    def _initialise(self) -> None:
        _, recurrent, attention, bias = self._own_parameters()
        start_gates(recurrent, bias, self.config.longest_memory)
        if self.config.zero_attention:
            attention.zero_()

    def _own_parameters(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        if self.config.mode == "residual":
            return (
                self.linear_ih.weight,
                self.linear_hh.weight,
                self.linear_ah.weight,
                self.linear_ih.bias,
            )
        return (*self.linear.weight.split(self.config.hidden_size, dim=1), self.linear.bias)

    def gate_parameters(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Wx, Wh, Wa [4n, n] and b [4n]: both modes are this sum, laid out differently.

        Coupled gates are four too, of which σ(-a) = 1 - σ(a) makes the first of the second.
        """
        x, hidden, attention, bias = self._own_parameters()
        if not self.config.coupled_gates:
            return x, hidden, attention, bias
        n = self.config.hidden_size
        x, hidden, attention, bias = (
            torch.cat([-own[:n], own]) for own in (x, hidden, attention, bias)
        )
        return x, hidden, attention, bias

    def initial_state(self, batch: int) -> LARNNState:
        n, k = self.config.hidden_size, self.config.window_size
        zeros = self.q_proj.weight.new_zeros
        filled = torch.zeros(batch, dtype=torch.int64, device=self.q_proj.weight.device)
        return LARNNState(zeros(batch, n), zeros(batch, n), zeros(batch, k, n), filled)

    def forward(self, x: Tensor, state: LARNNState) -> LARNNState:
        """One step: x [batch, n] → the next state, whose `hidden` is the output."""
        query = F.elu(self.q_proj(torch.cat([x, state.hidden], dim=-1)))
        empty = self.empty_slots(state.filled)
        queue = state.queue.masked_fill(empty[..., None], 0.0)
        past = torch.cat([queue, self.position.expand(len(x), -1, -1)], dim=-1)
        attended = self.attend(
            query, self.keys(self.k_proj(past)), self.values(self.v_proj(past)), empty
        )
        hidden, cell = self.gates(self.pre_activation(x, state.hidden, attended), state.cell)
        queue = torch.cat([queue[:, 1:], cell[:, None]], dim=1)
        filled = (state.filled + 1).clamp(max=self.config.window_size)
        return LARNNState(hidden, cell, queue, filled)

    def keys(self, projected: Tensor) -> Tensor:
        """ELU and norm where the configuration has them; any shape [..., n]."""
        return self.k_norm(F.elu(projected)) if self.config.activate_keys_values else projected

    def values(self, projected: Tensor) -> Tensor:
        """As `keys`, for the values."""
        return self.v_norm(F.elu(projected)) if self.config.activate_keys_values else projected

    def empty_slots(self, filled: Tensor) -> Tensor:
        """[...] → [..., k], true where the queue holds nothing yet: the oldest slots."""
        k = self.config.window_size
        return torch.arange(k, device=filled.device) < k - filled[..., None]

    def attend(self, query: Tensor, keys: Tensor, values: Tensor, empty: Tensor) -> Tensor:
        """softmax(Q·Kᵀ/√d)·V for query [batch, n] over [batch, k, n], then output projection."""
        scores = (self.by_head(query[:, None]) * self.by_head(keys)).sum(-1)
        scores = scores / self.config.head_size**0.5
        weights = scores.masked_fill(empty[..., None], -torch.inf).softmax(dim=1)
        weights = weights.masked_fill(empty[..., None], 0.0)
        attended = (weights[..., None] * self.by_head(values)).sum(1)
        return self.attention_norm(F.elu(self.out_proj(attended.flatten(1))))

    def by_head(self, tensor: Tensor) -> Tensor:
        """[..., n] → [..., heads, d]"""
        return tensor.unflatten(-1, (self.config.heads, self.config.head_size))

    def pre_activation(self, x: Tensor, hidden: Tensor, attended: Tensor) -> Tensor:
        """[batch, 4n] before the gates, in the configured mode."""
        weight_x, weight_h, weight_a, bias = self.gate_parameters()
        return (
            F.linear(x, weight_x, bias) + F.linear(hidden, weight_h) + F.linear(attended, weight_a)
        )

    def gates(self, pre_activation: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """LSTM gates (order i, f, g, o): hidden and cell [batch, n], both normalised."""
        i, f, g, o = pre_activation.chunk(4, dim=-1)
        cell = self.cell_norm(f.sigmoid() * cell + i.sigmoid() * g.tanh())
        hidden = self.hidden_norm(o.sigmoid() * F.elu(cell))
        return hidden, cell
