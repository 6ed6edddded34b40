"""Windowed self-attention: a pre-norm transformer block whose state is its key-value cache.

    a_t = Wo·Σ_{j<k} softmax_j(q_t·k_{t-j}/√d + b_j)·v_{t-j}   per head, of LayerNorm(x)
    y_t = a_t + W2·gelu(W1·LayerNorm(x_t + a_t))

The stack adds x. A step sees itself and k - 1 before it; what it knows of their order is a learned
b_j for each head and age j. All steps of a chunk run at once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from larnn_export.networks.config import NetworkConfig
from larnn_export.networks.loop import Tensors
from larnn_export.networks.parts import window_at_length
from larnn_service.contract import StateTensor

EXPANSION = 4
"""Of the feed-forward part's hidden layer."""
MASKED = -1e30


class AttentionLayer(nn.Module):
    """State in, state out: keys, values, filled. k = `window_size`."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        n = config.hidden_size
        self.attention_norm = nn.LayerNorm(n)
        self.in_proj = nn.Linear(n, 3 * n)  # q, k, v
        self.out_proj = nn.Linear(n, n)
        self.age_bias = nn.Parameter(torch.zeros(config.heads, config.window_size))  # newest first
        self.forward_norm = nn.LayerNorm(n)
        self.linear1 = nn.Linear(n, EXPANSION * n)
        self.linear2 = nn.Linear(EXPANSION * n, n)

    def state_tensors(self) -> list[StateTensor]:
        n, k = self.config.hidden_size, self.config.window_size
        return [
            *(
                StateTensor(
                    name=name,
                    shape=(k, n),
                    dtype="float32",
                    description=f"{name} of the last {k} steps, newest last",
                )
                for name in ("keys", "values")
            ),
            StateTensor(
                name="filled",
                shape=(),
                dtype="int64",
                maximum=k,
                description="slots of the queue in use",
            ),
        ]

    def forward(self, x: Tensor, state: Tensors, lengths: Tensor | None) -> tuple[Tensor, Tensors]:
        """x [batch, steps, n] → outputs [batch, steps, n] and the state after `lengths`."""
        keys, values, filled = state
        steps = x.shape[1]
        query, key, value = self.in_proj(self.attention_norm(x)).chunk(3, dim=-1)
        attended = self.attend(
            query, torch.cat([keys, key], dim=1), torch.cat([values, value], dim=1), filled
        )
        output = attended + self.linear2(F.gelu(self.linear1(self.forward_norm(x + attended))))
        moved = steps if lengths is None else lengths
        return output, (
            window_at_length(keys, key, lengths),
            window_at_length(values, value, lengths),
            (filled + moved).clamp(max=self.config.window_size),
        )

    def attend(self, query: Tensor, keys: Tensor, values: Tensor, filled: Tensor) -> Tensor:
        """query [batch, steps, n] over the queue and the steps [batch, k + steps, n].

        In blocks of k steps, of which each sees itself and the k slots before it.
        """
        k, steps = self.config.window_size, query.shape[1]
        blocks = -(-steps // k)
        padding = (0, 0, 0, blocks * k - steps)
        by_block = F.pad(query, padding).unflatten(1, (blocks, k))
        scores = self.by_head(by_block) @ self.by_head(self.past(F.pad(keys, padding))).mT
        slot = torch.arange(2 * k, device=query.device)
        age = torch.arange(k, device=query.device)[:, None] + k - slot
        bias = self.age_bias[:, age.clamp(0, k - 1)].masked_fill((age < 0) | (age >= k), MASKED)
        scores = scores / self.config.head_size**0.5 + bias  # [batch, blocks, heads, k, 2k]
        empty = (slot < k - filled[:, None])[:, None, None]
        first = scores[:, 0].masked_fill(empty, MASKED)
        weights = torch.cat([first[:, None], scores[:, 1:]], dim=1).softmax(-1)
        attended = weights @ self.by_head(self.past(F.pad(values, padding)))
        return self.out_proj(attended.transpose(2, 3).flatten(3).flatten(1, 2)[:, :steps])

    def past(self, entries: Tensor) -> Tensor:
        """[batch, k + blocks·k, n] → [batch, blocks, 2k, n]: what each block may see."""
        k = self.config.window_size
        return entries.unfold(1, 2 * k, k).transpose(2, 3)

    def by_head(self, tensor: Tensor) -> Tensor:
        """[..., slots, n] → [..., heads, slots, d]"""
        return tensor.unflatten(-1, (self.config.heads, self.config.head_size)).transpose(-3, -2)
