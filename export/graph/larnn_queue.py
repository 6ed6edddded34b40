"""The queue around and inside the loop over time: a ring that starts with the newest last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from export.graph.builder import Pen
from export.networks.larnn import LARNNCell
from export.networks.larnn_layer import MASKED
from service.contract import INPUT


@dataclass(frozen=True)
class Queue:
    """Keys and values before the first step, and what each step of the loop is told."""

    keys: str  # [batch, k, n], zero in empty slots, as in the initial state
    values: str
    scanned: list[tuple[str, str]]
    """mask_t [batch, k, 1], added to the scores; slot_index [batch, 2], where the step's entry
    goes; with a positional encoding position_keys_t and position_values_t [k, n]."""

    def in_use(self, body: Pen, cell: LARNNCell) -> tuple[str, str]:
        """Keys and values as attention takes them."""
        if not cell.config.positional_encoding:
            return "K", "V"
        keys = body.write("Add", "K", "position_keys_t")
        values = body.write("Add", "V", "position_values_t")
        if not cell.config.activate_keys_values:
            return keys, values
        return _activated(body, keys, cell.k_norm), _activated(body, values, cell.v_norm)


def write_queue(pen: Pen, cell: LARNNCell, state: dict[str, str]) -> Queue:
    """Before the loop over the steps of the graph's input."""
    k, n = cell.config.window_size, cell.config.hidden_size
    slots = np.arange(k)
    empty_slots = pen.write("Unsqueeze", pen.write("Sub", k, state["filled"]), [1])
    empty = pen.write("Less", slots, empty_slots)
    time = pen.once("time", lambda: pen.write("Range", 0, _size(pen, 1), 1))
    by_time = pen.once("by_time", lambda: pen.write("Unsqueeze", time, [1, 2]))
    not_yet_taken = pen.once("not_yet_taken", lambda: pen.write("LessOrEqual", by_time, slots))
    still_empty = pen.write("And", pen.write("Unsqueeze", empty, [0]), not_yet_taken)
    mask = pen.write("Unsqueeze", pen.write("Where", still_empty, MASKED, 0.0), [3])
    slot_index = pen.once("slot_index", lambda: _slot_index(pen, by_time, k))
    scanned = [(mask, "mask_t"), (slot_index, "slot_index")]
    if cell.config.positional_encoding:
        # Age k-1 is the slot that step t overwrites; slot i is (i - t) mod k slots younger.
        younger = pen.write("Mod", pen.write("Sub", slots, pen.write("Unsqueeze", time, [1])), k)
        for name, weight in (("keys", cell.k_proj.weight), ("values", cell.v_proj.weight)):
            terms: Tensor = cell.position @ weight[:, n:].T
            scanned.append((pen.write("Gather", terms, younger), f"position_{name}_t"))
    return Queue(state["keys"], state["values"], scanned)


def _slot_index(pen: Pen, by_time: str, k: int) -> str:
    """[steps, batch, 2]: at step t, row b writes to (b, t mod k)."""
    row = pen.write("Unsqueeze", pen.write("Range", 0, _size(pen, 0), 1), [0, 2])
    slot = pen.write("Mod", by_time, k)
    rows = pen.write("Add", row, pen.write("Mul", slot, 0))
    slots = pen.write("Add", slot, pen.write("Mul", row, 0))
    return pen.write("Concat", rows, slots, axis=2)


def _size(pen: Pen, axis: int) -> str:
    return pen.write("Squeeze", pen.write("Shape", INPUT, start=axis, end=axis + 1), [0])


def _activated(body: Pen, projected: str, norm: nn.Module) -> str:
    return body.norm(body.write("Elu", projected), norm)
