"""A thin pen for ONNX graphs: names nodes and constants, so that a layer's file reads as its math.

Graphs are written rather than traced: the same weights give the same bytes, in milliseconds, with
no trace of where they were made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from onnx import FunctionProto, GraphProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

from larnn_export.wrapping.nodes import Named, declared, tensor_type
from larnn_service.contract import NEXT_ROWS, ROWS

OPSET = 18

Operand = str | Tensor | NDArray[Any] | float
"""A value of the graph by name, or a constant."""


class Pen:
    """Writes nodes in order. A loop body has a pen of its own, which shares the constants."""

    def __init__(self, parent: Pen | None = None, prefix: str = "", in_place: bool = True) -> None:
        """`in_place`: all state is an operator's that knows row numbers."""
        self._in_place = in_place
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {} if parent is None else parent.constants
        self.defaults: dict[str, Named] = {}
        self.functions: dict[str, FunctionProto] = {}
        self._prefix = prefix
        self._shared: dict[str, str] = {}

    def constant(self, value: Operand | ArrayLike, floats: DTypeLike = np.float32) -> str:
        """The name of a constant of `floats` or, whole numbers, int64. Names pass through."""
        if isinstance(value, str):
            return value
        array = value.detach().numpy() if isinstance(value, Tensor) else np.asarray(value)
        array = array.astype(floats if array.dtype.kind == "f" else np.int64)
        name = f"constant_{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def write(self, operator: str, *inputs: Operand | ArrayLike, **attributes: Any) -> str:
        """One node with one output."""
        return self.write_many(operator, 1, *inputs, **attributes)[0]

    def write_many(
        self, operator: str, outputs: int, *inputs: Operand | ArrayLike, **attributes: Any
    ) -> list[str]:
        """One node with several outputs."""
        name = f"{self._prefix}{operator.lower()}_{len(self.nodes)}"
        names = [f"{name}_{index}" for index in range(outputs)] if outputs > 1 else [name]
        operands = [self.constant(value) for value in inputs]
        self.nodes.append(helper.make_node(operator, operands, names, name=name, **attributes))
        return names

    def indices(self, name: str) -> str:
        """An optional input of the graph: int64 [any], empty where it is not given. Always empty
        where other nodes have state, too: they know of no rows."""
        if not self._in_place:
            return self.constant(np.empty(0, dtype=np.int64))
        self.constants[name] = numpy_helper.from_array(np.empty(0, dtype=np.int64), name)
        self.defaults[name] = (name, TensorProto.INT64, [None])
        return name

    def rename(self, value: str, name: str) -> None:
        """Call the output of a node so."""
        for node in self.nodes:
            for names in (node.input, node.output):
                for index, each in enumerate(names):
                    if each == value:
                        names[index] = name

    def linear(self, x: str, weight: Tensor, bias: Tensor | None = None) -> str:
        """x·Wᵀ + b over the last axis; weight [out, in] as torch keeps it."""
        product = self.write("MatMul", x, weight.detach().T)
        return product if bias is None else self.write("Add", product, bias)

    def gemm(self, x: str, weight: Tensor, addend: Operand) -> str:
        """x·Wᵀ + addend for x [batch, in] in one node, which takes an activation behind it in."""
        return self.write("Gemm", x, weight.detach().T, addend)

    def elu(self, x: str) -> str:
        """ELU of a large tensor: onnxruntime's own takes three times as long, and its bits
        depend on where in the tensor a value stands."""
        below = self.write("Sub", self.write("Exp", self.write("Min", x, 0.0)), 1.0)
        return self.write("Max", x, below)

    def norm(self, x: str, norm: nn.Module) -> str:
        """Layer norm or batch norm over the last axis, as it is at inference."""
        if isinstance(norm, nn.LayerNorm):
            return self.write(
                "LayerNormalization", x, norm.weight, norm.bias, axis=-1, epsilon=norm.eps
            )
        assert isinstance(norm, nn.BatchNorm1d)
        scale, shift = affine(norm)
        return self.write("Add", self.write("Mul", x, scale), shift)

    def once(self, key: str, value: Callable[[], str]) -> str:
        """A value that all layers share, written by the first."""
        if key not in self._shared:
            self._shared[key] = value()
        return self._shared[key]

    def time_major(self, x: str) -> str:
        """[batch, steps, …] ↔ [steps, batch, …] for a tensor of rank 3."""
        return self.write("Transpose", x, perm=[1, 0, 2])

    def at_length(self, initial: str, outputs: str, lengths: str) -> str:
        """[batch, …] after `lengths` steps, from [batch, …] and [batch, steps, …]."""
        history = self.write("Concat", self.write("Unsqueeze", initial, [1]), outputs, axis=1)
        index = self.write("Unsqueeze", lengths, [1])
        return self.write("GatherND", history, index, batch_dims=1)

    def window_at_length(self, queue: str, entered: str, lengths: str, slots: int) -> str:
        """The queue [batch, slots, n] after `lengths` of [batch, steps, n] entered it."""
        history = self.write("Concat", queue, entered, axis=1)
        slot = self.write("Add", self.write("Unsqueeze", lengths, [1]), np.arange(slots))
        index = self.write("Unsqueeze", slot, [2])
        return self.write("GatherND", history, index, batch_dims=1)

    def scan(
        self,
        body: Pen,
        name: str,
        carried: Sequence[tuple[str, str, str]],
        scanned: Sequence[tuple[str, str]],
        collected: Sequence[str],
        dtype: str = "float32",
    ) -> list[str]:
        """A loop over axis 0 of the scanned tensors.

        `carried`: (value before, name inside, value after a step); `scanned`: (tensor, name
        inside); `collected`: values of each step. Returns the collected, [steps, …] each. All of it
        is of one dtype.
        """
        after = [value for _, _, value in carried]
        each = [body.write("Identity", v) if v in after else v for v in collected]
        graph = helper.make_graph(
            body.nodes,
            name,
            [_info(name, dtype) for name in (*(c[1] for c in carried), *(s[1] for s in scanned))],
            [_info(value, dtype) for value in (*after, *each)],
        )
        outputs = self.write_many(
            "Scan",
            len(after) + len(each),
            *(before for before, _, _ in carried),
            *(tensor for tensor, _ in scanned),
            body=graph,
            num_scan_inputs=len(scanned),
        )
        return outputs[len(after) :]

    def define(
        self,
        domain: str,
        name: str,
        body: Pen,
        inputs: Sequence[str],
        outputs: Sequence[str],
        attributes: Sequence[str],
    ) -> None:
        """What nodes domain.name compute where the runtime has no such operator."""
        constants = [
            helper.make_node("Constant", [], [constant], value=tensor)
            for constant, tensor in body.constants.items()
        ]
        self.functions[name] = helper.make_function(
            domain,
            name,
            inputs,
            outputs,
            [*constants, *body.nodes],
            [helper.make_opsetid("", OPSET)],
            attributes,
        )

    def layer(
        self,
        domain: str,
        operator: str,
        x: str,
        lengths: str,
        state: dict[str, str],
        weights: Iterable[Operand],
        **attributes: Any,
    ) -> tuple[str, dict[str, str]]:
        """All steps of x [batch, steps, inputs] by an operator that knows row numbers: hidden
        states [batch, steps, n] and the next state by name."""
        rows = (self.indices(ROWS), self.indices(NEXT_ROWS))
        hiddens, *after = self.write_many(
            operator,
            1 + len(state),
            *(x, lengths, *rows, *state.values(), *weights),
            domain=domain,
            **attributes,
        )
        return hiddens, dict(zip(state, after, strict=True))

    def graph(self, name: str, inputs: Sequence[Named], outputs: Sequence[Named]) -> GraphProto:
        """All that was written."""
        return helper.make_graph(
            self.nodes,
            name,
            [declared(tensor) for tensor in (*inputs, *self.defaults.values())],
            [declared(tensor) for tensor in outputs],
            list(self.constants.values()),
        )


def affine(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Batch norm at inference: scale and shift [n], float64."""
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    return scale, norm.bias.double() - norm.running_mean.double() * scale


def _info(name: str, dtype: str) -> Any:
    return declared((name, tensor_type(dtype), None))
