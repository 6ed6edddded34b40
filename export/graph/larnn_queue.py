"""The queue around and inside the loop over time, newest last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import nn

from export.graph.builder import Pen
from export.networks.larnn import LARNNCell
from export.networks.larnn_layer import MASKED
from service.contract import INPUT


@dataclass(frozen=True)
class Queue:
    """Keys and values before the first step, and what keeps empty slots out of each."""

    keys: str  # [batch, k, n], zero in empty slots, as in the initial state
    values: str
    mask: str
    """[steps, batch, k, 1], added to the scores."""


def write_queue(pen: Pen, cell: LARNNCell, state: dict[str, str]) -> Queue:
    """Before the loop over the steps of the graph's input."""
    k = cell.config.window_size
    empty_slots = pen.write("Unsqueeze", pen.write("Sub", k, state["filled"]), [1])
    steps = pen.once("steps", lambda: pen.write("Shape", INPUT, start=1, end=2))
    time = pen.once("time", lambda: pen.write("Range", 0, pen.write("Squeeze", steps, [0]), 1))
    by_time = pen.once("by_time", lambda: pen.write("Unsqueeze", time, [1, 2]))
    later = pen.once("slots_later", lambda: pen.write("Add", by_time, np.arange(k)))
    still_empty = pen.write("Less", later, empty_slots)
    mask = pen.write("Unsqueeze", pen.write("Where", still_empty, MASKED, 0.0), [3])
    return Queue(state["keys"], state["values"], mask)


def attended_to(body: Pen, cell: LARNNCell) -> tuple[str, str]:
    """Keys and values as attention takes them, inside the loop."""
    config, n = cell.config, cell.config.hidden_size
    if not config.positional_encoding:
        return "K", "V"
    keys = body.write("Add", "K", cell.position @ cell.k_proj.weight[:, n:].T)
    values = body.write("Add", "V", cell.position @ cell.v_proj.weight[:, n:].T)
    if not config.activate_keys_values:
        return keys, values
    return _activated(body, keys, cell.k_norm), _activated(body, values, cell.v_norm)


def write_shift(body: Pen, queue: str, newest: str) -> str:
    """The queue without its oldest slot, the newest last."""
    kept = body.write("Slice", queue, [1], [2**31], [1])
    return body.write("Concat", kept, body.write("Unsqueeze", newest, [1]), axis=1)


def _activated(body: Pen, projected: str, norm: nn.Module) -> str:
    return body.norm(body.write("Elu", projected), norm)
