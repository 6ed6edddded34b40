"""The LARNN layer as a graph: export/networks/larnn_layer.py, one Scan.

The sum over a head's features is a product with a constant [n, heads] of zeros and 1/√d, and its
counterpart spreads a head's weight over its features: products with constants are fast, and their
bits do not depend on the batch.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import TensorProto
from torch import Tensor

from export.graph.builder import Pen
from export.networks.config import NetworkConfig
from export.networks.larnn import LARNNCell
from export.networks.larnn_layer import MASKED, LARNNLayer


def write_larnn(
    pen: Pen, layer: LARNNLayer, x: str, state: dict[str, str], lengths: str
) -> tuple[str, dict[str, str]]:
    """x [batch, steps, n] → hidden states [batch, steps, n] and the next state by name."""
    cell, n, k = layer.cell, layer.config.hidden_size, layer.config.window_size
    weight_x, weight_h, weight_a, bias = cell.gate_parameters()
    query_x, query_h = cell.q_proj.weight.split(n, dim=1)
    from_x = pen.linear(x, torch.cat([query_x, weight_x]), torch.cat([cell.q_proj.bias, bias]))
    keys_before, values_before, mask = _masked(pen, x, state, k)

    body = Pen(pen, prefix=f"{x}_step_")
    mixed = body.write("Add", "from_x_t", body.linear("h", torch.cat([query_h, weight_h])))
    query, pre_activation = body.write_many("Split", 2, mixed, [n, 4 * n], axis=-1)
    attended = _write_attention(body, cell, body.elu(query, n))
    pre_activation = body.write("Add", pre_activation, body.linear(attended, weight_a))
    new_cell, gate = body.lstm_gates(pre_activation, "c", cell.cell_norm)
    hidden = body.norm(body.write("Mul", gate, body.elu(new_cell, n)), cell.hidden_norm)
    key, value = _write_entering(body, cell, new_cell)
    hiddens, cells, keys, values = (
        pen.time_major(collected)
        for collected in pen.scan(
            body,
            "larnn_step",
            carried=[
                (state["hidden"], "h", hidden),
                (state["cell"], "c", new_cell),
                (keys_before, "K", _write_shift(body, "K", key)),
                (values_before, "V", _write_shift(body, "V", value)),
            ],
            scanned=[(pen.time_major(from_x), "from_x_t"), (mask, "mask_t")],
            collected=[hidden, new_cell, key, value],
        )
    )
    filled = pen.write("Min", pen.write("Add", state["filled"], lengths), k)
    return hiddens, {
        "hidden": pen.at_length(state["hidden"], hiddens, lengths),
        "cell": pen.at_length(state["cell"], cells, lengths),
        "keys": pen.window_at_length(keys_before, keys, lengths, k),
        "values": pen.window_at_length(values_before, values, lengths, k),
        "filled": filled,
    }


def _masked(pen: Pen, x: str, state: dict[str, str], k: int) -> tuple[str, str, str]:
    """Keys and values, zero in empty slots; what to add to the scores [steps, batch, k, 1]."""
    empty_slots = pen.write("Unsqueeze", pen.write("Sub", k, state["filled"]), [1])
    empty = pen.write("Less", np.arange(k), empty_slots)
    keys, values = (
        pen.write("Where", pen.write("Unsqueeze", empty, [2]), 0.0, state[name])
        for name in ("keys", "values")
    )
    steps = pen.write("Squeeze", pen.write("Shape", x, start=1, end=2), [0])
    time = pen.write("Unsqueeze", pen.write("Range", 0, steps, 1), [1, 2])
    still_empty = pen.write("Less", pen.write("Add", time, np.arange(k)), empty_slots)
    mask = pen.write("Where", still_empty, MASKED, 0.0)
    return keys, values, pen.write("Unsqueeze", mask, [3])


def _write_attention(body: Pen, cell: LARNNCell, query: str) -> str:
    """Attention of the query [batch, n] over the queues K and V, projected and normalised."""
    keys, values = "K", "V"
    if cell.config.positional_encoding:
        n = cell.config.hidden_size
        keys = body.write("Add", keys, cell.position @ cell.k_proj.weight[:, n:].T)
        values = body.write("Add", values, cell.position @ cell.v_proj.weight[:, n:].T)
        keys = _activated(body, cell, keys, cell.k_norm)
        values = _activated(body, cell, values, cell.v_norm)
    gather = _head_matrix(cell.config)
    by_feature = body.write("Mul", keys, body.write("Unsqueeze", query, [1]))
    scores = body.write("MatMul", by_feature, gather / np.sqrt(cell.config.head_size))
    weights = body.write("Softmax", body.write("Add", scores, "mask_t"), axis=1)
    if cell.config.positional_encoding:  # else the values of empty slots are zero
        in_use = body.write("Cast", body.write("Equal", "mask_t", 0.0), to=TensorProto.FLOAT)
        weights = body.write("Mul", weights, in_use)
    spread = body.write("MatMul", weights, gather.T)
    # A sum over the slots as a product: ReduceSum adds in another order when the batch is one row.
    ones = np.ones((1, cell.config.window_size))
    total = body.write("MatMul", ones, body.write("Mul", spread, values))
    attended = body.write("Squeeze", total, [1])
    projected = body.linear(attended, cell.out_proj.weight, cell.out_proj.bias)
    return body.norm(body.elu(projected, cell.config.hidden_size), cell.attention_norm)


def _write_entering(body: Pen, cell: LARNNCell, new_cell: str) -> tuple[str, str]:
    """The key and the value [batch, n] that enter the queue for a cell state."""
    n = cell.config.hidden_size
    weight = torch.cat([cell.k_proj.weight[:, :n], cell.v_proj.weight[:, :n]])
    both = body.linear(new_cell, weight, torch.cat([cell.k_proj.bias, cell.v_proj.bias]))
    key, value = body.write_many("Split", 2, both, axis=-1, num_outputs=2)
    if cell.config.positional_encoding:
        return key, value
    return _activated(body, cell, key, cell.k_norm), _activated(body, cell, value, cell.v_norm)


def _activated(body: Pen, cell: LARNNCell, projected: str, norm: torch.nn.Module) -> str:
    if not cell.config.activate_keys_values:
        return projected
    return body.norm(body.elu(projected, cell.config.hidden_size), norm)


def _write_shift(body: Pen, queue: str, newest: str) -> str:
    """The queue without its oldest slot, the newest last."""
    kept = body.write("Slice", queue, [1], [2**31], [1])
    return body.write("Concat", kept, body.write("Unsqueeze", newest, [1]), axis=1)


def _head_matrix(config: NetworkConfig) -> NDArray[np.float64]:
    """[n, heads]: 1 where a feature belongs to a head."""
    eye: Tensor = torch.eye(config.heads, dtype=torch.float64)
    return eye.repeat_interleave(config.head_size, dim=0).numpy()
