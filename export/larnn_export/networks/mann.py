"""A memory-augmented network (arXiv 1605.06065): an LSTM controller and a memory it addresses.

    h_t, c_t = LSTM([x_t, r_{t-1}], h_{t-1}, c_{t-1});  k_t = tanh(Wk·h_t) for each of R heads
    w^w_t = σ(α)·w^r_{t-1} + (1 - σ(α))·w^lu_{t-1}      write where it was read, or was least used
    M_t   = erase(M_{t-1}, w^lu_{t-1}) + Σ_heads w^w_t ⊗ k_t
    w^r_t = softmax over slots of β·cos(k_t, M_t);  r_t = w^r_t·M_t
    w^u_t = γ·w^u_{t-1} + Σ_heads (w^r_t + w^w_t)

w^lu is one-hot at the least used slot, for head j the j-th least. Of slots used alike the first is
taken: `TIE` tells them apart, so that rounding does not. The output is W·[h_t, r_t].
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from larnn_export.networks.config import NetworkConfig
from larnn_export.networks.loop import Tensors, over_time
from larnn_export.networks.parts import at_length, start_gates
from larnn_service.contract import StateTensor

DECAY = 0.95
"""γ, of the usage."""
TIE = 1e-3
"""How much more used a slot counts than the one before it."""
EPSILON = 1e-6
"""Added to squared lengths: an erased slot has none."""


class MANNLayer(nn.Module):
    """State in, state out: hidden, cell, memory, usage, read_weights, read. R = `heads`."""

    order: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        n, reads = config.hidden_size, config.heads * config.memory_width
        self.linear_ih = nn.Linear(n, 4 * n)
        self.linear_hh = nn.Linear(n + reads, 4 * n, bias=False)  # of [h, r]
        self.key_proj = nn.Linear(n, reads)
        self.write_gate = nn.Parameter(torch.zeros(config.heads))  # α
        self.sharpness = nn.Parameter(torch.zeros(config.heads))  # β, of softplus
        self.out_proj = nn.Linear(n + reads, n)
        order = TIE * torch.arange(config.memory_slots, dtype=torch.float32)
        self.register_buffer("order", order, persistent=False)
        start_gates(self.linear_hh.weight[:, :n], self.linear_ih.bias, config.longest_memory)

    def state_tensors(self) -> list[StateTensor]:
        config = self.config
        n, heads, slots, width = (
            config.hidden_size,
            config.heads,
            config.memory_slots,
            config.memory_width,
        )
        shapes: dict[str, tuple[tuple[int, ...], str]] = {
            "hidden": ((n,), "hidden state of the controller"),
            "cell": ((n,), "cell state of the controller"),
            "memory": ((slots, width), "the memory, a row a slot"),
            "usage": ((slots,), "how much each slot was read and written, decaying"),
            "read_weights": ((heads, slots), "where each head read last"),
            "read": ((heads * width,), "what the heads read last"),
        }
        return [
            StateTensor(name=name, shape=shape, dtype="float32", description=description)
            for name, (shape, description) in shapes.items()
        ]

    def forward(self, x: Tensor, state: Tensors, lengths: Tensor | None) -> tuple[Tensor, Tensors]:
        """x [batch, steps, n] → outputs [batch, steps, n] and the state after `lengths`."""
        every = over_time(self._step, state, (self.linear_ih(x),))
        outputs = self.out_proj(torch.cat([every[0], every[-1]], dim=-1))
        return outputs, tuple(
            at_length(before.flatten(1), after.flatten(2), lengths).view_as(before)
            for before, after in zip(state, every, strict=True)
        )

    def _step(self, state: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
        hidden, cell, memory, usage, read_weights, read = state
        i, f, g, o = (inputs[0] + self.linear_hh(torch.cat([hidden, read], dim=-1))).chunk(4, -1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        keys = self.key_proj(hidden).tanh().unflatten(-1, (-1, self.config.memory_width))

        least_used = self.least_used(usage)
        gate = self.write_gate.sigmoid()[:, None]
        write_weights = gate * read_weights + (1 - gate) * least_used
        memory = memory * (1 - least_used.sum(1))[..., None]
        memory = memory + write_weights.transpose(1, 2) @ keys

        scores = unit(keys) @ unit(memory).transpose(1, 2)  # [batch, heads, slots]
        sharpness = 1 + F.softplus(self.sharpness)[:, None]
        read_weights = (sharpness * scores).softmax(-1)
        read = (read_weights @ memory).flatten(1)
        usage = DECAY * usage + (read_weights + write_weights).sum(1)
        after = (hidden, cell, memory, usage, read_weights, read)
        return after, after

    def least_used(self, usage: Tensor) -> Tensor:
        """[batch, heads, slots], one-hot each; no gradient goes through the choice."""
        slots = (usage.detach() + self.order).topk(self.config.heads, largest=False).indices
        return F.one_hot(slots, self.config.memory_slots).to(usage.dtype)


def unit(vectors: Tensor) -> Tensor:
    """Length one over the last axis, zero where there is nothing."""
    return vectors * (vectors.square().sum(-1, keepdim=True) + EPSILON).rsqrt()
