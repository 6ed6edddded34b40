"""A memory-augmented network (arXiv 1605.06065): an LSTM controller and a memory it addresses.

    h_t, c_t = LSTM([x_t, r_{t-1}], h_{t-1}, c_{t-1});  k_t = tanh(Wk·h_t) for each of R heads
    w^w_t = σ(α)·w^r_{t-1} + (1 - σ(α))·w^lu_{t-1}      write where it was read, or was least used
    M_t   = erase(M_{t-1}, w^lu_{t-1}) + Σ_heads w^w_t ⊗ k_t
    w^r_t = softmax over slots of β·cos(k_t, M_t);  r_t = w^r_t·M_t
    w^u_t = γ·w^u_{t-1} + Σ_heads (w^r_t + w^w_t)

w^lu is one-hot at the least used slot, for head j the j-th least. Of slots used alike the first is
taken: `TIE` tells them apart, so that rounding does not. The output is W·[h_t, r_t].

As a graph it is one Scan, which collects the memory at every step, so that each row's can be taken
at its length.
"""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import torch
from onnx import TensorProto
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from larnn_export.families.builder import Pen
from larnn_export.families.config import Heads, LongestMemory, NetworkConfig
from larnn_export.families.family import Family
from larnn_export.families.gates import as_written, write_gates
from larnn_export.families.loop import Tensors, over_time
from larnn_export.families.parts import at_length, start_gates
from larnn_service.contract import StateTensor

DECAY = 0.95
"""γ, of the usage."""
TIE = 1e-3
"""How much more used a slot counts than the one before it."""
EPSILON = 1e-6
"""Added to squared lengths: an erased slot has none."""


class MANNConfig(NetworkConfig):
    """Of a stack of memory-augmented layers."""

    family: Literal["mann"] = "mann"
    heads: Heads = 8
    """Those that read and write."""
    memory_slots: int = Field(16, ge=1)
    """Rows of the memory."""
    memory_width: int = Field(32, ge=1)
    """Features of one of its rows."""
    longest_memory: LongestMemory = 0

    @model_validator(mode="after")
    def _heads_have_slots(self) -> Self:
        if self.heads > self.memory_slots:
            raise ValueError(f"heads {self.heads} must be at most memory_slots {self.memory_slots}")
        return self


class MANNLayer(nn.Module):
    """State in, state out: hidden, cell, memory, usage, read_weights, read. R = `heads`."""

    order: Tensor

    def __init__(self, config: MANNConfig) -> None:
        super().__init__()
        self.config = config
        n, reads = config.hidden_size, config.heads * config.memory_width
        self.linear_ih = nn.Linear(n, 4 * n)
        self.linear_hh = nn.Linear(n + reads, 4 * n, bias=False)  # of [h, r]
        self.key_proj = nn.Linear(n, reads)
        self.write_gate = nn.Parameter(torch.zeros(config.heads))  # α
        self.sharpness = nn.Parameter(torch.zeros(config.heads))  # β, of softplus
        self.out_proj = nn.Linear(n + reads, n)
        order = TIE * torch.arange(config.memory_slots, dtype=torch.float32)
        self.register_buffer("order", order, persistent=False)
        start_gates(self.linear_hh.weight[:, :n], self.linear_ih.bias, config.longest_memory)

    def state_tensors(self) -> list[StateTensor]:
        config = self.config
        n, heads, slots, width = (
            config.hidden_size,
            config.heads,
            config.memory_slots,
            config.memory_width,
        )
        shapes: dict[str, tuple[tuple[int, ...], str]] = {
            "hidden": ((n,), "hidden state of the controller"),
            "cell": ((n,), "cell state of the controller"),
            "memory": ((slots, width), "the memory, a row a slot"),
            "usage": ((slots,), "how much each slot was read and written, decaying"),
            "read_weights": ((heads, slots), "where each head read last"),
            "read": ((heads * width,), "what the heads read last"),
        }
        return [
            StateTensor(name=name, shape=shape, dtype="float32", description=description)
            for name, (shape, description) in shapes.items()
        ]

    def forward(self, x: Tensor, state: Tensors, lengths: Tensor | None) -> tuple[Tensor, Tensors]:
        """x [batch, steps, n] → outputs [batch, steps, n] and the state after `lengths`."""
        every = over_time(self._step, state, (self.linear_ih(x),))
        outputs = self.out_proj(torch.cat([every[0], every[-1]], dim=-1))
        return outputs, tuple(
            at_length(before.flatten(1), after.flatten(2), lengths).view_as(before)
            for before, after in zip(state, every, strict=True)
        )

    def _step(self, state: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
        hidden, cell, memory, usage, read_weights, read = state
        i, f, g, o = (inputs[0] + self.linear_hh(torch.cat([hidden, read], dim=-1))).chunk(4, -1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        keys = self.key_proj(hidden).tanh().unflatten(-1, (-1, self.config.memory_width))

        least_used = self.least_used(usage)
        gate = self.write_gate.sigmoid()[:, None]
        write_weights = gate * read_weights + (1 - gate) * least_used
        memory = memory * (1 - least_used.sum(1))[..., None]
        memory = memory + write_weights.transpose(1, 2) @ keys

        scores = unit(keys) @ unit(memory).transpose(1, 2)  # [batch, heads, slots]
        sharpness = 1 + F.softplus(self.sharpness)[:, None]
        read_weights = (sharpness * scores).softmax(-1)
        read = (read_weights @ memory).flatten(1)
        usage = DECAY * usage + (read_weights + write_weights).sum(1)
        after = (hidden, cell, memory, usage, read_weights, read)
        return after, after

    def least_used(self, usage: Tensor) -> Tensor:
        """[batch, heads, slots], one-hot each; no gradient goes through the choice."""
        slots = (usage.detach() + self.order).topk(self.config.heads, largest=False).indices
        return F.one_hot(slots, self.config.memory_slots).to(usage.dtype)


def unit(vectors: Tensor) -> Tensor:
    """Length one over the last axis, zero where there is nothing."""
    return vectors * (vectors.square().sum(-1, keepdim=True) + EPSILON).rsqrt()


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


def _multiply_adds(config: MANNConfig) -> int:
    n, reads = config.hidden_size, config.heads * config.memory_width
    return 9 * n * n + 6 * n * reads + 3 * config.memory_slots * reads


FAMILY = Family(
    title="MANN",
    carries="hidden, cell, memory, usage, read weights, read vectors",
    source="[1605.06065](https://arxiv.org/abs/1605.06065)",
    preset=MANNConfig(hidden_size=66, layers=1, heads=2, dropout=0.2, longest_memory=128),
    layer=MANNLayer,
    write=write_mann,
    multiply_adds=_multiply_adds,
)
