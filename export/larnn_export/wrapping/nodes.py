"""Nodes and constants of a graph, or of the body of a loop, written in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

Named = tuple[str, int, Sequence[int | str | None] | None]
"""A tensor's name, its ONNX element type, and its shape, which may be unknown."""

_SELECTED: dict[int, int] = {
    **dict.fromkeys((TensorProto.FLOAT16, TensorProto.BFLOAT16), TensorProto.FLOAT),
    **dict.fromkeys(
        (TensorProto.BOOL, TensorProto.INT8, TensorProto.INT16, TensorProto.UINT16),
        TensorProto.INT32,
    ),
    **dict.fromkeys((TensorProto.UINT32, TensorProto.UINT64), TensorProto.INT64),
}
"""As which type a tensor of another type is chosen: it holds all of its values."""


class Nodes:
    """`prefix` keeps its names apart from those of the graphs around it."""

    def __init__(self, prefix: str) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._prefix = prefix

    def add(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """One node with one output, which is called `name` where one is given."""
        name = name or f"{self._prefix}.{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def constant(self, value: ArrayLike) -> str:
        """The name of a constant: integers are int64, the rest as it is."""
        array = np.asarray(value)
        if array.dtype.kind == "i":
            array = array.astype(np.int64)
        name = f"{self._prefix}.constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def reshape(self, value: str, shape: Sequence[int]) -> str:
        """0 keeps an axis as it is, -1 takes what is left."""
        return self.add("Reshape", value, self.constant(np.array(shape, np.int64)))

    def transpose(self, value: str, order: Sequence[int]) -> str:
        """No node where the order is that of the tensor."""
        if list(order) == sorted(order):
            return value
        return self.add("Transpose", value, perm=list(order))

    def cast(self, value: str, before: int, after: int) -> str:
        """No node where the two types are the same."""
        return value if before == after else self.add("Cast", value, to=after)

    def select(self, condition: str, yes: str, no: str, kind: int) -> str:
        """Where the condition holds `yes`, else `no`: onnxruntime's Where knows few types."""
        between = _SELECTED.get(kind, kind)
        given = [self.cast(value, kind, between) for value in (yes, no)]
        return self.cast(self.add("Where", condition, *given), between, kind)

    def graph(self, name: str, inputs: Sequence[Named], outputs: Sequence[Named]) -> GraphProto:
        """All that was written."""
        return helper.make_graph(
            self.nodes, name, [*map(declared, inputs)], [*map(declared, outputs)], self.constants
        )


def declared(tensor: Named) -> ValueInfoProto:
    """An input or an output of a graph."""
    return helper.make_tensor_value_info(*tensor)


def tensor_type(dtype: str) -> int:
    """ONNX's number for a dtype of the contract."""
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
