"""The queue around and inside the loop over time, newest last, heads innermost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from larnn_export.families.builder import Pen
from larnn_export.families.larnn.cell import LARNNCell
from larnn_export.families.larnn.layer import MASKED, heads_innermost
from larnn_export.families.larnn.weights import Weights
from larnn_export.families.parts import EPSILON


@dataclass(frozen=True)
class Queue:
    """Keys and values before the first step, and what keeps empty slots out of each."""

    keys: str  # [batch, k, n], zero in empty slots, as in the initial state
    values: str
    mask: str
    """[steps, batch, k, 1], added to the scores."""


def write_queue(pen: Pen, cell: LARNNCell, x: str, state: dict[str, str]) -> Queue:
    """Before the loop over the steps of x."""
    k = cell.config.window_size
    empty_slots = pen.write("Unsqueeze", pen.write("Sub", k, state["filled"]), [1])
    steps = pen.write("Squeeze", pen.write("Shape", x, start=1, end=2), [0])
    time = pen.write("Unsqueeze", pen.write("Range", 0, steps, 1), [1, 2])
    still_empty = pen.write("Less", pen.write("Add", time, np.arange(k)), empty_slots)
    mask = pen.write("Unsqueeze", pen.write("Where", still_empty, MASKED, 0.0), [3])
    return Queue(state["keys"], state["values"], mask)


def attended_to(body: Pen, cell: LARNNCell, weights: Weights) -> tuple[str, str]:
    """Keys and values as attention takes them, inside the loop."""
    config, n = cell.config, cell.config.hidden_size
    if not config.positional_encoding:
        return "K", "V"
    order = heads_innermost(config)
    keys = body.write("Add", "K", cell.position @ cell.k_proj.weight[order, n:].T)
    values = body.write("Add", "V", cell.position @ cell.v_proj.weight[order, n:].T)
    if not config.activate_keys_values:
        return keys, values
    return (
        write_norm(body, cell, body.write("Elu", keys), weights, "key"),
        write_norm(body, cell, body.write("Elu", values), weights, "value"),
    )


def write_norm(body: Pen, cell: LARNNCell, x: str, weights: Weights, norm: str) -> str:
    """One of NORMS over the last axis, as it is at inference; nothing where the layer has none."""
    scale, shift = weights[f"{norm}_scale"], weights[f"{norm}_shift"]
    if isinstance(scale, str) and not scale:
        return x
    if cell.config.normalisation == "layer":
        return body.write("LayerNormalization", x, scale, shift, axis=-1, epsilon=EPSILON)
    return body.write("Add", body.write("Mul", x, scale), shift)
