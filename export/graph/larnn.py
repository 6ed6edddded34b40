"""The LARNN layer as a graph: export/networks/larnn_layer.py, one Scan.

Every node costs, so few do much: products take their addend in, the four gates are one product of
[hidden, attended], batch norm behind attention is folded into the weights, and one activation
serves key and value. The queue moves by one slot at each step, newest last, so that sums over it
run in the order of age: then a sequence gives the same bits however it is cut into chunks.

The sum over a head's features is a product with a constant of zeros and 1/√d, and its counterpart
spreads a head's weight over its features. Products with constants are fast, and their bits do not
depend on the batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from onnx import TensorProto
from torch import Tensor, nn

from export.graph.builder import Pen, affine
from export.graph.larnn_queue import attended_to, write_queue, write_shift
from export.networks.larnn import LARNNCell
from export.networks.larnn_layer import LARNNLayer


def write_larnn(
    pen: Pen,
    layer: LARNNLayer,
    x: str,
    state: dict[str, str],
    lengths: str,
    heads_per_product: int | None = None,
) -> tuple[str, dict[str, str]]:
    """x [batch, steps, n] → hidden states [batch, steps, n] and the next state by name.

    `heads_per_product`, a divisor of the heads, splits the products over them: less arithmetic,
    more nodes, which pays for many heads and large batches.
    """
    cell, k = layer.cell, layer.config.window_size
    weights = _weights(cell)
    queue = write_queue(pen, cell, state)
    from_x_query, from_x_gates = (
        pen.time_major(pen.linear(x, weight, bias))
        for weight, bias in (
            (weights.query_x, cell.q_proj.bias),
            (weights.gates_x, weights.gates_bias),
        )
    )
    body = Pen(pen, prefix=f"{x}_step_")
    query = body.write("Elu", body.gemm("h", weights.query_h, "from_x_query_t"))
    attended = _write_attention(body, cell, query, heads_per_product)
    both = body.write("Concat", "h", attended, axis=1)
    hidden, new_cell = _write_gates(
        body, cell, body.gemm(both, weights.gates_recurrent, "from_x_gates_t")
    )
    key, value = _write_entering(body, cell, new_cell)
    hiddens, cells, keys, values = (
        pen.time_major(collected)
        for collected in pen.scan(
            body,
            "larnn_step",
            carried=[
                (state["hidden"], "h", hidden),
                (state["cell"], "c", new_cell),
                (queue.keys, "K", write_shift(body, "K", key)),
                (queue.values, "V", write_shift(body, "V", value)),
            ],
            scanned=[
                (from_x_query, "from_x_query_t"),
                (from_x_gates, "from_x_gates_t"),
                (queue.mask, "mask_t"),
            ],
            collected=[hidden, new_cell, key, value],
        )
    )
    return hiddens, {
        "hidden": pen.at_length(state["hidden"], hiddens, lengths),
        "cell": pen.at_length(state["cell"], cells, lengths),
        "keys": pen.window_at_length(queue.keys, keys, lengths, k),
        "values": pen.window_at_length(queue.values, values, lengths, k),
        "filled": pen.write("Min", pen.write("Add", state["filled"], lengths), k),
    }


@dataclass(frozen=True)
class _Weights:
    """The gates in the order i, f, o, g: the three that take a sigmoid side by side."""

    query_x: Tensor
    query_h: Tensor
    gates_x: Tensor
    gates_recurrent: Tensor  # [4n, 2n], of [hidden, attended]
    gates_bias: Tensor


def _weights(cell: LARNNCell) -> _Weights:
    from_x, from_h, from_a, bias = (
        torch.cat([i, f, o, g])
        for i, f, g, o in (gates.chunk(4) for gates in cell.gate_parameters())
    )
    if isinstance(cell.attention_norm, nn.BatchNorm1d):
        scale, shift = affine(cell.attention_norm)
        bias = bias.double() + from_a.double() @ shift
        from_a = from_a.double() * scale
    query_x, query_h = cell.q_proj.weight.chunk(2, dim=1)
    recurrent = torch.cat([from_h.double(), from_a.double()], dim=1)
    return _Weights(query_x, query_h, from_x, recurrent, bias)


def _write_attention(body: Pen, cell: LARNNCell, query: str, heads_per_product: int | None) -> str:
    """softmax(Q·Kᵀ/√d)·V of the query [batch, n], projected; its batch norm is folded away."""
    config = cell.config
    heads = heads_per_product or config.heads
    groups = config.heads // heads
    gather = torch.eye(heads).repeat_interleave(config.head_size, dim=0)

    def by_group(tensor: str, matrix: Tensor) -> str:
        """[batch, k, groups·in] times [in, out] in each group."""
        if groups == 1:
            return body.write("MatMul", tensor, matrix)
        before, after = ([-1, config.window_size, groups, size] for size in matrix.shape)
        product = body.write("MatMul", body.write("Reshape", tensor, before), matrix)
        return body.write("Reshape", product, [*after[:2], groups * after[3]])

    keys, values = attended_to(body, cell)
    by_feature = body.write("Mul", keys, body.write("Unsqueeze", query, [1]))
    scores = by_group(by_feature, gather / config.head_size**0.5)
    weights = body.write("Softmax", body.write("Add", scores, "mask_t"), axis=1)
    if config.positional_encoding:  # else the values of empty slots are zero
        in_use = body.write("Cast", body.write("Equal", "mask_t", 0.0), to=TensorProto.FLOAT)
        weights = body.write("Mul", weights, in_use)
    weighted = body.write("Mul", by_group(weights, gather.T), values)
    # A sum over the slots as a product: ReduceSum adds in another order for a batch of one row.
    total = body.write("MatMul", np.ones((1, config.window_size)), weighted)
    attended = body.write("Squeeze", total, [1])
    projected = body.write("Elu", body.gemm(attended, cell.out_proj.weight, cell.out_proj.bias))
    if isinstance(cell.attention_norm, nn.BatchNorm1d):
        return projected
    return body.norm(projected, cell.attention_norm)


def _write_gates(body: Pen, cell: LARNNCell, pre_activation: str) -> tuple[str, str]:
    """Hidden and cell state [batch, n] from [batch, 4n] in the order i, f, o, g."""
    n = cell.config.hidden_size
    squashed, candidate = body.write_many("Split", 2, pre_activation, [3 * n, n], axis=1)
    i, f, o = body.write_many("Split", 3, body.write("Sigmoid", squashed), axis=1, num_outputs=3)
    entered = body.write("Mul", i, body.write("Tanh", candidate))
    kept = body.write("Mul", f, "c")
    new_cell = body.norm(body.write("Add", kept, entered), cell.cell_norm)
    hidden = body.norm(body.write("Mul", o, body.write("Elu", new_cell)), cell.hidden_norm)
    return hidden, new_cell


def _write_entering(body: Pen, cell: LARNNCell, new_cell: str) -> tuple[str, str]:
    """The key and the value [batch, n] that enter the queue for a cell state."""
    n, config = cell.config.hidden_size, cell.config
    weight = torch.cat([cell.k_proj.weight[:, :n], cell.v_proj.weight[:, :n]])
    pair = body.gemm(new_cell, weight, torch.cat([cell.k_proj.bias, cell.v_proj.bias]))
    as_projected = config.positional_encoding or not config.activate_keys_values
    if not as_projected:
        pair = body.write("Elu", pair)
        if isinstance(cell.k_norm, nn.BatchNorm1d) and isinstance(cell.v_norm, nn.BatchNorm1d):
            norms = (affine(cell.k_norm), affine(cell.v_norm))
            scale, shift = (torch.cat(parts) for parts in zip(*norms, strict=True))
            pair = body.write("Add", body.write("Mul", pair, scale), shift)
            as_projected = True
    key, value = body.write_many("Split", 2, pair, axis=1, num_outputs=2)
    if as_projected:
        return key, value
    return body.norm(key, cell.k_norm), body.norm(value, cell.v_norm)
