"""The windowed self-attention layer as a graph: networks/self_attention.py, one band.

A chunk's steps see the queue and each other as one band [steps, k + steps]: for short chunks that
is the least work, and the service bounds how many steps run at once.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from larnn_export.graph.builder import Pen
from larnn_export.networks.self_attention import MASKED, AttentionLayer
from larnn_service.contract import INPUT


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
