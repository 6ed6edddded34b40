"""An LSTM's gates inside a loop, for families that the fused operator does not fit."""

from __future__ import annotations

import torch
from torch import Tensor

from larnn_export.families.builder import Pen


def as_written(gates: Tensor) -> Tensor:
    """Rows in the order i, f, o, g, from torch's i, f, g, o: the sigmoids side by side."""
    i, f, g, o = gates.chunk(4)
    return torch.cat([i, f, o, g])


def write_gates(body: Pen, n: int, pre_activation: str, cell: str) -> tuple[str, str]:
    """The next cell state σ(f)⊙c + σ(i)⊙tanh(g) and σ(o), of [batch, 4n] in that order."""
    squashed, candidate = body.write_many("Split", 2, pre_activation, [3 * n, n], axis=1)
    i, f, o = body.write_many("Split", 3, body.write("Sigmoid", squashed), axis=1, num_outputs=3)
    entered = body.write("Mul", i, body.write("Tanh", candidate))
    return body.write("Add", body.write("Mul", f, cell), entered), o
