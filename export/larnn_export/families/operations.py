"""A small set of operations with two interpreters: `Pen` writes nodes, `InTorch` runs them.

Names and attributes are ONNX's, so that a step written with them is a graph as it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn import functional as F

Value = TypeVar("Value")
"""The name of a value in a graph, or a tensor."""


class Operations(Protocol[Value]):
    """What a step is written with. Inputs are values, weights and constants."""

    def write(self, operator: str, *inputs: Value | Tensor | ArrayLike, **attributes: Any) -> Value:
        """An operation with one output."""
        ...

    def write_many(
        self, operator: str, outputs: int, *inputs: Value | Tensor | ArrayLike, **attributes: Any
    ) -> list[Value]:
        """An operation with several outputs."""
        ...


def shift(run: Operations[Value], queue: Value, newest: Value) -> Value:
    """The queue [batch, slots, n] without its oldest slot, the newest [batch, n] last."""
    kept = run.write("Slice", queue, [1], [2**31], [1])
    return run.write("Concat", kept, run.write("Unsqueeze", newest, [1]), axis=1)


def _split(x: Tensor, sizes: list[int] | None = None, *, axis: int, num_outputs: int = 0) -> Any:
    return x.split(sizes, axis) if sizes else x.chunk(num_outputs, axis)


def _slice(x: Tensor, starts: list[int], ends: list[int], axes: list[int]) -> Tensor:
    return x[(*[slice(None)] * axes[0], slice(starts[0], ends[0]))]


_IN_TORCH: dict[str, Callable[..., Any]] = {
    "Add": torch.add,
    "Cast": lambda x, to: x.float(),
    "Concat": lambda *inputs, axis: torch.cat(inputs, axis),
    "Elu": F.elu,
    "Equal": torch.eq,
    "Gemm": lambda x, weight, addend: torch.addmm(addend, x, weight),
    "MatMul": torch.matmul,
    "Mul": torch.mul,
    "Sigmoid": torch.sigmoid,
    "Slice": _slice,
    "Softmax": lambda x, axis: x.softmax(axis),
    "Split": _split,
    "Squeeze": lambda x, axes: x.squeeze(axes[0]),
    "Tanh": torch.tanh,
    "Unsqueeze": lambda x, axes: x.unsqueeze(axes[0]),
}


class InTorch:
    """Runs each operation at once, in the precision of its inputs; autograd follows."""

    def write(self, operator: str, *inputs: Any, **attributes: Any) -> Tensor:
        """As `Operations.write`, on tensors."""
        result: Tensor = _IN_TORCH[operator](*inputs, **attributes)
        return result

    def write_many(
        self, operator: str, outputs: int, *inputs: Any, **attributes: Any
    ) -> list[Tensor]:
        """As `Operations.write_many`, on tensors."""
        return list(_IN_TORCH[operator](*inputs, **attributes))
