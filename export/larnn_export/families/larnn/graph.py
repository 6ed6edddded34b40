"""The LARNN layer as a graph: layer.py, one Scan.

The layer is one node, larnn.LarnnLayer, and the Scan is the body of a function of that name: a
runtime that knows the operator of kernels/ runs that, any other runs the body. The operator alone
knows row numbers, with which a run's state stays where it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from larnn_export.families.builder import Pen
from larnn_export.families.larnn.cell import LARNNCell
from larnn_export.families.larnn.layer import LARNNLayer
from larnn_export.families.larnn.step import MASKED, constants_of, step
from larnn_export.families.larnn.weights import NAMES, Weights, weights_of
from larnn_export.families.parts import EPSILON
from larnn_service.contract import NEXT_ROWS, ROWS

DOMAIN, OPERATOR = "larnn", "LarnnLayer"
STATE = ("hidden", "cell", "keys", "values", "filled")


def write_larnn(
    pen: Pen, layer: LARNNLayer, x: str, state: dict[str, str], lengths: str
) -> tuple[str, dict[str, str]]:
    """x [batch, steps, n] → hidden states [batch, steps, n] and the next state by name."""
    cell, weights = layer.cell, weights_of(layer.cell)
    if cell.config.positional_encoding:  # the operator has none
        hiddens, *after = _write_loop(pen, cell, x, lengths, state, weights)
        return hiddens, dict(zip(STATE, after, strict=True))
    _define(pen, cell, weights)
    before = {name: state[name] for name in STATE}
    given = weights.values()
    return pen.layer(DOMAIN, OPERATOR, x, lengths, before, given, **_attributes(cell))


def _attributes(cell: LARNNCell) -> dict[str, Any]:
    config = cell.config
    return {
        "hidden_size": config.hidden_size,
        "heads": config.heads,
        "window_size": config.window_size,
        "activate_keys_values": int(config.activate_keys_values),
        "normalisation": "affine" if config.normalisation == "batch" else config.normalisation,
        "epsilon": EPSILON,
    }


def _define(pen: Pen, cell: LARNNCell, weights: Weights) -> None:
    """The function for all layers of a network: they differ in weights alone."""
    body = Pen()
    names: Weights = {
        name: "" if isinstance(given, str) else name for name, given in weights.items()
    }
    outputs = _write_loop(body, cell, "x", "lengths", {name: name for name in STATE}, names)
    inputs = ["x", "lengths", ROWS, NEXT_ROWS, *STATE, *NAMES]
    pen.define(DOMAIN, OPERATOR, body, inputs, outputs, list(_attributes(cell)))


def _write_loop(
    pen: Pen, cell: LARNNCell, x: str, lengths: str, state: dict[str, str], weights: Weights
) -> list[str]:
    """Hidden states [batch, steps, n], then the next state in the order of STATE."""
    k = cell.config.window_size
    queue = _write_queue(pen, cell, x, state)
    from_x_query, from_x_gates = (
        pen.time_major(pen.write("Add", pen.write("MatMul", x, weights[w]), weights[b]))
        for w, b in (("query_x", "query_bias"), ("gates_x", "gates_bias"))
    )
    body = Pen(pen, prefix=f"{x}_step_")
    carry, inputs = ("h", "c", "K", "V"), ("from_x_query_t", "from_x_gates_t", "mask_t")
    norm = partial(_write_norm, body, cell, weights)
    given = {**weights, **constants_of(cell)}
    before = (state["hidden"], state["cell"], queue.keys, queue.values)
    after, collected = step(body, cell.config, given, norm, carry, inputs)
    hiddens, cells, keys, values = (
        pen.time_major(each)
        for each in pen.scan(
            body,
            "larnn_step",
            carried=list(zip(before, carry, after, strict=True)),
            scanned=list(zip((from_x_query, from_x_gates, queue.mask), inputs, strict=True)),
            collected=collected,
        )
    )
    return [
        hiddens,
        pen.at_length(state["hidden"], hiddens, lengths),
        pen.at_length(state["cell"], cells, lengths),
        pen.window_at_length(queue.keys, keys, lengths, k),
        pen.window_at_length(queue.values, values, lengths, k),
        pen.write("Min", pen.write("Add", state["filled"], lengths), k),
    ]


@dataclass(frozen=True)
class _Queue:
    """Keys and values before the first step, and what keeps empty slots out of each."""

    keys: str  # [batch, k, n], zero in empty slots, as in the initial state
    values: str
    mask: str
    """[steps, batch, k, 1], added to the scores."""


def _write_queue(pen: Pen, cell: LARNNCell, x: str, state: dict[str, str]) -> _Queue:
    """Before the loop over the steps of x."""
    k = cell.config.window_size
    empty_slots = pen.write("Unsqueeze", pen.write("Sub", k, state["filled"]), [1])
    steps = pen.write("Squeeze", pen.write("Shape", x, start=1, end=2), [0])
    time = pen.write("Unsqueeze", pen.write("Range", 0, steps, 1), [1, 2])
    still_empty = pen.write("Less", pen.write("Add", time, np.arange(k)), empty_slots)
    mask = pen.write("Unsqueeze", pen.write("Where", still_empty, MASKED, 0.0), [3])
    return _Queue(state["keys"], state["values"], mask)


def _write_norm(body: Pen, cell: LARNNCell, weights: Weights, norm: str, x: str) -> str:
    """One of NORMS over the last axis, as it is at inference; nothing where the layer has none."""
    scale, shift = weights[f"{norm}_scale"], weights[f"{norm}_shift"]
    if isinstance(scale, str) and not scale:
        return x
    if cell.config.normalisation == "layer":
        return body.write("LayerNormalization", x, scale, shift, axis=-1, epsilon=EPSILON)
    return body.write("Add", body.write("Mul", x, scale), shift)
