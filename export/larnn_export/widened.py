"""bfloat16 at the edges of a graph: onnxruntime takes none from numpy, so it is float32 there."""

from __future__ import annotations

from collections.abc import Iterable

import onnx
from onnx import ModelProto, TensorProto, ValueInfoProto, helper


def widened(model: ModelProto) -> ModelProto:
    """The same, with a cast behind each input and each output of bfloat16; these are called as
    `wide` says."""
    wider = onnx.ModelProto()
    wider.CopyFrom(model)
    graph = wider.graph
    weights = {tensor.name for tensor in graph.initializer}
    for value in _narrow(each for each in graph.input if each.name not in weights):
        cast = helper.make_node("Cast", [wide(value.name)], [value.name], to=TensorProto.BFLOAT16)
        graph.node.insert(0, cast)
        _widen(value)
    for value in _narrow(graph.output):
        cast = helper.make_node("Cast", [value.name], [wide(value.name)], to=TensorProto.FLOAT)
        graph.node.append(cast)
        _widen(value)
    return wider


def wide(name: str) -> str:
    """Of an input or output of bfloat16, where it is float32."""
    return f"{name}.float32"


def _narrow(values: Iterable[ValueInfoProto]) -> list[ValueInfoProto]:
    return [v for v in values if v.type.tensor_type.elem_type == TensorProto.BFLOAT16]


def _widen(value: ValueInfoProto) -> None:
    value.name = wide(value.name)
    value.type.tensor_type.elem_type = TensorProto.FLOAT
