"""The memory-augmented layer as a graph: networks/mann.py, one Scan.

The memory is collected at every step, so that each row's can be taken at its length.
"""

from __future__ import annotations

import numpy as np
from onnx import TensorProto
from torch.nn import functional as F

from larnn_export.graph.builder import Pen
from larnn_export.graph.gates import as_written, write_gates
from larnn_export.networks.mann import DECAY, EPSILON, MANNLayer

STATE = ("hidden", "cell", "memory", "usage", "read_weights", "read")


def write_mann(
    pen: Pen, layer: MANNLayer, x: str, state: dict[str, str], lengths: str
) -> tuple[str, dict[str, str]]:
    """x [batch, steps, n] → outputs [batch, steps, n] and the next state by name."""
    from_x = pen.linear(x, as_written(layer.linear_ih.weight), as_written(layer.linear_ih.bias))
    body = Pen(pen, prefix=f"{x}_step_")
    after = _write_step(body, layer)
    collected = pen.scan(
        body,
        "mann_step",
        carried=[(state[name], name, value) for name, value in zip(STATE, after, strict=True)],
        scanned=[(pen.time_major(from_x), "from_x_t")],
        collected=after,
    )
    every = {name: _batch_first(pen, name, v) for name, v in zip(STATE, collected, strict=True)}
    both = pen.write("Concat", every["hidden"], every["read"], axis=2)
    return pen.linear(both, layer.out_proj.weight, layer.out_proj.bias), {
        name: pen.at_length(state[name], steps, lengths) for name, steps in every.items()
    }


def _write_step(body: Pen, layer: MANNLayer) -> list[str]:
    config = layer.config
    both = body.write("Concat", "hidden", "read", axis=1)
    gates = body.gemm(both, as_written(layer.linear_hh.weight), "from_x_t")
    cell, o = write_gates(body, config.hidden_size, gates, "cell")
    hidden = body.write("Mul", o, body.write("Tanh", cell))
    flat = body.write("Tanh", body.gemm(hidden, layer.key_proj.weight, layer.key_proj.bias))
    keys = body.write("Reshape", flat, [-1, config.heads, config.memory_width])

    least_used = _write_least_used(body, layer)
    gate = layer.write_gate.sigmoid()[:, None]
    write_weights = body.write(
        "Add",
        body.write("Mul", "read_weights", gate),
        body.write("Mul", least_used, 1 - gate),
    )
    erased = body.write("ReduceSum", least_used, [1], keepdims=0)
    kept = body.write("Unsqueeze", body.write("Sub", 1.0, erased), [2])
    written = body.write("MatMul", body.write("Transpose", write_weights, perm=[0, 2, 1]), keys)
    memory = body.write("Add", body.write("Mul", "memory", kept), written)

    by_slot = body.write("Transpose", _write_unit(body, memory), perm=[0, 2, 1])
    scores = body.write("MatMul", _write_unit(body, keys), by_slot)
    sharpness = 1 + F.softplus(layer.sharpness)[:, None]
    read_weights = body.write("Softmax", body.write("Mul", scores, sharpness), axis=2)
    read = body.write(
        "Reshape",
        body.write("MatMul", read_weights, memory),
        [-1, config.heads * config.memory_width],
    )
    touched = body.write(
        "ReduceSum", body.write("Add", read_weights, write_weights), [1], keepdims=0
    )
    usage = body.write("Add", body.write("Mul", "usage", DECAY), touched)
    return [hidden, cell, memory, usage, read_weights, read]


def _write_least_used(body: Pen, layer: MANNLayer) -> str:
    """[batch, heads, slots], one-hot each, the least used first."""
    config = layer.config
    used = body.write("Add", "usage", layer.order)
    _, slots = body.write_many("TopK", 2, used, [config.heads], largest=0, sorted=1)
    each = body.write("Unsqueeze", slots, [2])
    chosen = body.write("Equal", each, np.arange(config.memory_slots))
    return body.write("Cast", chosen, to=TensorProto.FLOAT)


def _write_unit(body: Pen, vectors: str) -> str:
    squares = body.write("ReduceSum", body.write("Mul", vectors, vectors), [2], keepdims=1)
    length = body.write("Sqrt", body.write("Add", squares, EPSILON))
    return body.write("Div", vectors, length)


def _batch_first(pen: Pen, name: str, collected: str) -> str:
    rank = 4 if name in ("memory", "read_weights") else 3
    return pen.write("Transpose", collected, perm=[1, 0, *range(2, rank)])
