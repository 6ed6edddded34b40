"""The LARNN layer as a graph: layer.py, one Scan.

Every node costs, so few do much: products take their addend in, the four gates are one product of
[hidden, attended], batch norm behind attention is folded into the weights, and one activation
serves key and value. The queue moves by one slot at each step, newest last, so that sums over it
run in the order of age: then a sequence gives the same bits however it is cut into chunks.

The sum over a head's features is a product with a constant of zeros and 1/√d, and its counterpart
spreads a head's weight over its features. Products with constants are fast, and their bits do not
depend on the batch.

The layer is one node, larnn.LarnnLayer, and the Scan is the body of a function of that name: a
runtime that knows the operator of kernels/ runs that, any other runs the body. The operator alone
knows row numbers, with which a run's state stays where it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from onnx import TensorProto

from larnn_export.families.builder import Pen
from larnn_export.families.larnn.cell import LARNNCell
from larnn_export.families.larnn.layer import LARNNLayer
from larnn_export.families.larnn.queue import attended_to, write_norm, write_queue
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
    queue = write_queue(pen, cell, x, state)
    from_x_query, from_x_gates = (
        pen.time_major(pen.write("Add", pen.write("MatMul", x, weights[w]), weights[b]))
        for w, b in (("query_x", "query_bias"), ("gates_x", "gates_bias"))
    )
    body = Pen(pen, prefix=f"{x}_step_")
    query = body.write("Elu", body.write("Gemm", "h", weights["query_hidden"], "from_x_query_t"))
    attended = _write_attention(body, cell, query, weights)
    both = body.write("Concat", "h", attended, axis=1)
    gates = body.write("Gemm", both, weights["gates_recurrent"], "from_x_gates_t")
    hidden, new_cell = _write_gates(body, cell, gates, weights)
    key, value = _write_entering(body, cell, new_cell, weights)
    hiddens, cells, keys, values = (
        pen.time_major(collected)
        for collected in pen.scan(
            body,
            "larnn_step",
            carried=[
                (state["hidden"], "h", hidden),
                (state["cell"], "c", new_cell),
                (queue.keys, "K", body.shift("K", key)),
                (queue.values, "V", body.shift("V", value)),
            ],
            scanned=[
                (from_x_query, "from_x_query_t"),
                (from_x_gates, "from_x_gates_t"),
                (queue.mask, "mask_t"),
            ],
            collected=[hidden, new_cell, key, value],
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


def _write_attention(body: Pen, cell: LARNNCell, query: str, weights: Weights) -> str:
    """softmax(Q·Kᵀ/√d)·V of the query [batch, n], projected."""
    config = cell.config
    gather = torch.eye(config.heads).repeat(config.head_size, 1)
    keys, values = attended_to(body, cell, weights)
    by_feature = body.write("Mul", keys, body.write("Unsqueeze", query, [1]))
    scores = body.write("MatMul", by_feature, gather / config.head_size**0.5)
    shares = body.write("Softmax", body.write("Add", scores, "mask_t"), axis=1)
    if config.positional_encoding:  # else the values of empty slots are zero
        in_use = body.write("Cast", body.write("Equal", "mask_t", 0.0), to=TensorProto.FLOAT)
        shares = body.write("Mul", shares, in_use)
    weighted = body.write("Mul", body.write("MatMul", shares, gather.T), values)
    # A sum over the slots as a product: ReduceSum adds in another order for a batch of one row.
    total = body.write("MatMul", np.ones((1, config.window_size)), weighted)
    attended = body.write("Squeeze", total, [1])
    projected = body.write("Gemm", attended, weights["output"], weights["output_bias"])
    return write_norm(body, cell, body.write("Elu", projected), weights, "attention")


def _write_gates(body: Pen, cell: LARNNCell, gates: str, weights: Weights) -> tuple[str, str]:
    """Hidden and cell state [batch, n] from [batch, 4n] in the order i, f, o, g."""
    n = cell.config.hidden_size
    squashed, candidate = body.write_many("Split", 2, gates, [3 * n, n], axis=1)
    i, f, o = body.write_many("Split", 3, body.write("Sigmoid", squashed), axis=1, num_outputs=3)
    entered = body.write("Mul", i, body.write("Tanh", candidate))
    kept = body.write("Mul", f, "c")
    new_cell = write_norm(body, cell, body.write("Add", kept, entered), weights, "cell")
    opened = body.write("Mul", o, body.write("Elu", new_cell))
    return write_norm(body, cell, opened, weights, "hidden"), new_cell


def _write_entering(body: Pen, cell: LARNNCell, new_cell: str, weights: Weights) -> tuple[str, str]:
    """The key and the value [batch, n] that enter the queue for a cell state."""
    config = cell.config
    pair = body.write("Gemm", new_cell, weights["pair"], weights["pair_bias"])
    as_projected = config.positional_encoding or not config.activate_keys_values
    if not as_projected:
        pair = body.write("Elu", pair)
    key, value = body.write_many("Split", 2, pair, axis=1, num_outputs=2)
    if as_projected:
        return key, value
    return (
        write_norm(body, cell, key, weights, "key"),
        write_norm(body, cell, value, weights, "value"),
    )
