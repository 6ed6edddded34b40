"""Windowed self-attention: a pre-norm transformer block whose state is its key-value cache.

    a_t = Wo·Σ_{j<k} softmax_j(q_t·k_{t-j}/√d + b_j)·v_{t-j}   per head, of LayerNorm(x)
    y_t = a_t + W2·gelu(W1·LayerNorm(x_t + a_t))

The stack adds x. A step sees itself and k - 1 before it; what it knows of their order is a learned
b_j for each head and age j. All steps of a chunk run at once.

As a graph a chunk's steps see the queue and each other as one band [steps, k + steps]: for short
chunks that is the least work, and the service bounds how many steps run at once.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from larnn_export.families.builder import Pen
from larnn_export.families.config import (
    HeadsConfig,
)
from larnn_export.families.family import Family
from larnn_export.families.loop import Tensors
from larnn_export.families.parts import filled_slots, window_at_length
from larnn_service.contract import INPUT, StateTensor

EXPANSION = 4
"""Of the feed-forward part's hidden layer."""
MASKED = -1e30


class AttentionConfig(HeadsConfig):
    """Of a stack of windowed self-attention blocks."""

    family: Literal["attention"] = "attention"


class AttentionLayer(nn.Module):
    """State in, state out: keys, values, filled. k = `window_size`."""

    def __init__(self, config: AttentionConfig) -> None:
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
            filled_slots(k),
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


def write_attention(
    pen: Pen, layer: AttentionLayer, x: str, state: dict[str, str], lengths: str
) -> tuple[str, dict[str, str]]:
    """x [batch, steps, n] → outputs [batch, steps, n] and the next state by name."""
    config, k = layer.config, layer.config.window_size
    x = _without_padding(pen, x, lengths)
    normed = pen.norm(x, layer.attention_norm)
    projected = pen.linear(normed, layer.in_proj.weight, layer.in_proj.bias)
    query, key, value = pen.write_many("Split", 3, projected, axis=2, num_outputs=3)
    keys = pen.write("Concat", state["keys"], key, axis=1)
    values = pen.write("Concat", state["values"], value, axis=1)
    split = [0, 0, config.heads, config.head_size]

    def by_head(tensor: str, perm: list[int]) -> str:
        return pen.write("Transpose", pen.write("Reshape", tensor, split), perm=perm)

    scores = pen.write("MatMul", by_head(query, [0, 2, 1, 3]), by_head(keys, [0, 2, 3, 1]))
    scores = pen.write("Div", scores, math.sqrt(config.head_size))
    masked = pen.write("Add", pen.write("Add", scores, _band(pen, layer)), _empty(pen, k, state))
    weights = pen.write("Softmax", masked, axis=3)
    attended = pen.write("MatMul", weights, by_head(values, [0, 2, 1, 3]))
    merged = pen.write("Transpose", attended, perm=[0, 2, 1, 3])
    merged = pen.write("Reshape", merged, [0, 0, config.hidden_size])
    attended = pen.linear(merged, layer.out_proj.weight, layer.out_proj.bias)
    after = pen.norm(pen.write("Add", x, attended), layer.forward_norm)
    wide = pen.linear(after, layer.linear1.weight, layer.linear1.bias)
    narrow = pen.linear(_gelu(pen, wide), layer.linear2.weight, layer.linear2.bias)
    return pen.write("Add", attended, narrow), {
        "keys": pen.window_at_length(state["keys"], key, lengths, k),
        "values": pen.window_at_length(state["values"], value, lengths, k),
        "filled": pen.write("Min", pen.write("Add", state["filled"], lengths), k),
    }


def _without_padding(pen: Pen, x: str, lengths: str) -> str:
    """Zero beyond each row's length: what is masked is multiplied by zero, and must be a number."""
    valid = pen.once(
        "valid",
        lambda: pen.write(
            "Unsqueeze",
            pen.write("Less", _time(pen), pen.write("Unsqueeze", lengths, [1])),
            [2],
        ),
    )
    return pen.write("Where", valid, x, 0.0)


def _band(pen: Pen, layer: AttentionLayer) -> str:
    """[heads, steps, k + steps]: the bias of each age, and no sight beyond the window."""
    k = layer.config.window_size
    slots = pen.once("band_slots", lambda: _range(pen, pen.write("Add", _steps(pen), k)))
    ages = pen.once(
        "ages",
        lambda: pen.write(
            "Sub", pen.write("Unsqueeze", pen.write("Add", _time(pen), k), [1]), slots
        ),
    )
    # One more column at either end: ages from -1 to k, of which the ends are out of sight.
    inside = pen.once("clipped", lambda: pen.write("Max", pen.write("Min", ages, k), -1))
    index = pen.once("columns", lambda: pen.write("Add", inside, 1))
    unseen = torch.full((layer.config.heads, 1), MASKED)
    return pen.write("Gather", torch.cat([unseen, layer.age_bias, unseen], dim=1), index, axis=1)


def _empty(pen: Pen, k: int, state: dict[str, str]) -> str:
    """[batch, 1, 1, k + steps]: what keeps empty slots of the queue out."""
    slots = pen.once("band_slots", lambda: _range(pen, pen.write("Add", _steps(pen), k)))
    first = pen.write("Unsqueeze", pen.write("Sub", k, state["filled"]), [1])
    mask = pen.write("Where", pen.write("Less", slots, first), MASKED, 0.0)
    return pen.write("Unsqueeze", mask, [1, 2])


def _gelu(pen: Pen, x: str) -> str:
    half = pen.write("Mul", x, 0.5)
    erf = pen.write("Erf", pen.write("Div", x, math.sqrt(2)))
    return pen.write("Mul", half, pen.write("Add", erf, 1.0))


def _steps(pen: Pen) -> str:
    shape = pen.once("steps", lambda: pen.write("Shape", INPUT, start=1, end=2))
    return pen.once("step_count", lambda: pen.write("Squeeze", shape, [0]))


def _time(pen: Pen) -> str:
    return pen.once("time", lambda: _range(pen, _steps(pen)))


def _range(pen: Pen, stop: str) -> str:
    return pen.write("Range", np.int64(0), stop, np.int64(1))


FAMILY = Family(
    title="self-attention, window 16",
    carries="keys and values of the last k steps",
    source="[1706.03762](https://arxiv.org/abs/1706.03762)",
    preset=AttentionConfig(hidden_size=52, layers=2, heads=4, window_size=16, dropout=0.2),
    layer=AttentionLayer,
    write=write_attention,
    multiply_adds=lambda config: (
        12 * config.hidden_size**2 + 2 * config.window_size * config.hidden_size
    ),
    step_by_step=False,
)
