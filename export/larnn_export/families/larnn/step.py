"""One step of a LARNN layer over queues of projected keys and values, newest last.

It is written once, with operations that torch runs and a graph holds. Every node of a graph costs,
so few do much: products take their addend in, the four gates are one product of [hidden, attended],
and one activation serves key and value. The queue moves by one slot at each step, so that sums over
it run in the order of age: then a sequence gives the same bits however it is cut into chunks.

The sum over a head's features is a product with a constant of zeros and 1/√d, and its counterpart
spreads a head's weight over its features. Products with constants are fast, and their bits do not
depend on the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from onnx import TensorProto
from torch import Tensor

from larnn_export.families.larnn.cell import LARNNCell
from larnn_export.families.larnn.config import LARNNConfig, heads_innermost
from larnn_export.families.operations import Operations, Value, shift

MASKED = -1e30
"""Added to the scores of empty slots."""

Norm = Callable[[str, Value], Value]
"""One of `weights.NORMS` of [..., n], by its name."""
Four = tuple[Value, Value, Value, Value]


def constants_of(cell: LARNNCell) -> dict[str, Tensor]:
    """What a step takes beside the weights, none of it learned but the slots' positions."""
    config, n = cell.config, cell.config.hidden_size
    gather = torch.eye(config.heads).repeat(config.head_size, 1)
    constants = {
        "gather": gather / config.head_size**0.5,  # [n, heads]
        "spread": gather.T,
        "sum_of_slots": torch.ones(1, config.window_size),
    }
    if config.positional_encoding:
        order = heads_innermost(config)
        constants["key_positions"] = cell.position @ cell.k_proj.weight[order, n:].T  # [k, n]
        constants["value_positions"] = cell.position @ cell.v_proj.weight[order, n:].T
    return constants


def step(
    run: Operations[Value],
    config: LARNNConfig,
    weights: Mapping[str, Any],
    norm: Norm[Value],
    carry: Four[Value],
    inputs: tuple[Value, Value, Value],
) -> tuple[Four[Value], Four[Value]]:
    """(hidden, cell [batch, n], keys, values [batch, k, n]) and what the input adds to the query
    [batch, n] and to the gates [batch, 4n], and the mask [batch, k, 1] → the same carried on, and
    the step's hidden, cell, key and value [batch, n].

    `weights` are those of `weights_of`, in [in, out], and of `constants_of`.
    """
    hidden, cell, keys, values = carry
    from_x_query, from_x_gates, mask = inputs
    query = run.write("Elu", run.write("Gemm", hidden, weights["query_hidden"], from_x_query))
    attended = _attend(run, config, weights, norm, query, keys, values, mask)
    both = run.write("Concat", hidden, attended, axis=1)
    gates = run.write("Gemm", both, weights["gates_recurrent"], from_x_gates)
    hidden, cell = _gates(run, config, norm, gates, cell)
    key, value = _entering(run, config, weights, norm, cell)
    after = (hidden, cell, shift(run, keys, key), shift(run, values, value))
    return after, (hidden, cell, key, value)


def _attend(
    run: Operations[Value],
    config: LARNNConfig,
    weights: Mapping[str, Any],
    norm: Norm[Value],
    query: Value,
    keys: Value,
    values: Value,
    mask: Value,
) -> Value:
    """softmax(Q·Kᵀ/√d)·V of the query [batch, n], projected."""
    if config.positional_encoding:
        keys = run.write("Add", keys, weights["key_positions"])
        values = run.write("Add", values, weights["value_positions"])
        if config.activate_keys_values:
            keys = norm("key", run.write("Elu", keys))
            values = norm("value", run.write("Elu", values))
    by_feature = run.write("Mul", keys, run.write("Unsqueeze", query, [1]))
    scores = run.write("MatMul", by_feature, weights["gather"])
    shares = run.write("Softmax", run.write("Add", scores, mask), axis=1)
    if config.positional_encoding:  # else the values of empty slots are zero
        in_use = run.write("Cast", run.write("Equal", mask, 0.0), to=TensorProto.FLOAT)
        shares = run.write("Mul", shares, in_use)
    weighted = run.write("Mul", run.write("MatMul", shares, weights["spread"]), values)
    # A sum over the slots as a product: ReduceSum adds in another order for a batch of one row.
    total = run.write("MatMul", weights["sum_of_slots"], weighted)
    attended = run.write("Squeeze", total, [1])
    projected = run.write("Gemm", attended, weights["output"], weights["output_bias"])
    return norm("attention", run.write("Elu", projected))


def _gates(
    run: Operations[Value], config: LARNNConfig, norm: Norm[Value], gates: Value, cell: Value
) -> tuple[Value, Value]:
    """Hidden and cell state [batch, n] from [batch, 4n] in the order i, f, o, g."""
    n = config.hidden_size
    squashed, candidate = run.write_many("Split", 2, gates, [3 * n, n], axis=1)
    i, f, o = run.write_many("Split", 3, run.write("Sigmoid", squashed), axis=1, num_outputs=3)
    entered = run.write("Mul", i, run.write("Tanh", candidate))
    kept = run.write("Mul", f, cell)
    cell = norm("cell", run.write("Add", kept, entered))
    opened = run.write("Mul", o, run.write("Elu", cell))
    return norm("hidden", opened), cell


def _entering(
    run: Operations[Value],
    config: LARNNConfig,
    weights: Mapping[str, Any],
    norm: Norm[Value],
    cell: Value,
) -> tuple[Value, Value]:
    """The key and the value [batch, n] that enter the queue for a cell state."""
    pair = run.write("Gemm", cell, weights["pair"], weights["pair_bias"])
    as_projected = config.positional_encoding or not config.activate_keys_values
    if not as_projected:
        pair = run.write("Elu", pair)
    key, value = run.write_many("Split", 2, pair, axis=1, num_outputs=2)
    if as_projected:
        return key, value
    return norm("key", key), norm("value", value)
