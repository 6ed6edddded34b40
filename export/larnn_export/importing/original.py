"""The file as it came: what it takes and gives, and running it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import TensorProto, ValueInfoProto, external_data_helper, helper

from larnn_export.importing.problems import ImportFailed
from larnn_export.onnx_run import RunError, Session
from larnn_export.reasons import reason
from larnn_export.wrapping.prefixed import all_graphs, require_dense

Arrays = dict[str, NDArray[Any]]
LAYERS = {"LSTM", "GRU", "RNN", "DynamicQuantizeLSTM"}
"""Operators that take all steps of a sequence, and the rows' lengths."""
_SAME_NUMBERS = {"Cast", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}
_QUANTISED = ("Quantize", "QLinear", "Integer", "QAttention", "QEmbed")


@dataclass(frozen=True)
class Tensor:
    """An input or an output as the file declares it; a dynamic axis is its name, or None."""

    name: str
    type: int
    """ONNX's number for its dtype."""
    shape: tuple[int | str | None, ...] | None
    """None where even the rank is not told."""

    @property
    def dtype(self) -> str:
        return str(np.dtype(helper.tensor_dtype_to_np_dtype(self.type)))

    @property
    def whole(self) -> bool:
        """Whether its numbers are whole ones."""
        return np.dtype(helper.tensor_dtype_to_np_dtype(self.type)).kind in "iu"

    @property
    def dynamic(self) -> list[int]:
        """Its axes whose size is not told."""
        return [i for i, size in enumerate(self.shape or ()) if not isinstance(size, int)]

    def __str__(self) -> str:
        axes = ", ".join(str(size or "?") for size in self.shape or ())
        return f"{self.name} {self.dtype} [{axes if self.shape is not None else '…'}]"


class Original:
    """An ONNX file with its external data, unchanged."""

    def __init__(self, file: Path) -> None:
        """Raises ImportFailed where it cannot be read."""
        self.file = file
        try:
            data = file.read_bytes()
            self.model = onnx.load_model_from_string(data)
        except OSError as error:
            raise ImportFailed([f"{file} cannot be read: {error.strerror}"]) from error
        except DecodeError as error:
            raise ImportFailed([f"{file} is no ONNX file: {error}"]) from error
        self.sha256 = hashlib.sha256(data).hexdigest()
        self._check()
        try:
            external_data_helper.load_external_data_for_model(self.model, str(file.parent))
        except Exception as error:  # onnx has a class of its own for each of them
            raise ImportFailed(
                [f"{file} has weights in another file: lay it beside it: {reason(error)}"]
            ) from error

    def _check(self) -> None:
        if not self.model.graph.output:
            raise ImportFailed([f"{self.file} is no ONNX file: it has no graph with outputs"])
        for value in (*self.model.graph.input, *self.model.graph.output):
            if value.type.WhichOneof("value") != "tensor_type":
                kind = value.type.WhichOneof("value")
                raise ImportFailed([f"{value.name} is a {kind}: only tensors can be served"])
        try:
            require_dense(self.model.graph)
        except ValueError as error:
            raise ImportFailed([f"{error}"]) from error

    @cached_property
    def inputs(self) -> dict[str, Tensor]:
        """What must be given, by name; older files list their weights too."""
        weights = {tensor.name for tensor in self.model.graph.initializer}
        found = [value for value in self.model.graph.input if value.name not in weights]
        return {value.name: _tensor(value) for value in found}

    @cached_property
    def outputs(self) -> dict[str, Tensor]:
        return {value.name: _tensor(value) for value in self.model.graph.output}

    @property
    def opset(self) -> int:
        domains = {each.domain: each.version for each in self.model.opset_import}
        return domains.get("") or domains.get("ai.onnx") or 1

    @property
    def producer(self) -> str:
        """What wrote it."""
        told = f"{self.model.producer_name} {self.model.producer_version}".strip()
        return told or "a tool that does not say its name"

    @cached_property
    def precision(self) -> str:
        """float32; float16, where it has such tensors; int8, where it is quantised."""
        operators = {node.op_type for node in all_nodes(self.model.graph)}
        if any(mark in operator for operator in operators for mark in _QUANTISED):
            return "int8"
        half = self._types & {TensorProto.FLOAT16, TensorProto.BFLOAT16}
        return "float16" if half else "float32"

    @property
    def _types(self) -> set[int]:
        """ONNX's numbers for the dtypes of its weights, inputs and outputs."""
        weights = {tensor.data_type for tensor in self.model.graph.initializer}
        return weights | {each.type for each in (*self.inputs.values(), *self.outputs.values())}

    @cached_property
    def _session(self) -> Session:
        try:
            return Session(self.file)
        except RunError as error:
            why = f"onnxruntime cannot load {self.file}: {error}"
            if TensorProto.BFLOAT16 in self._types:
                why += ": it has few operators of bfloat16: export it in float32 or float16"
            raise ImportFailed([why]) from error

    def run(self, names: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> Arrays:
        """These outputs by name; what is bfloat16 in the file is float32 here. Raises RunError."""
        return dict(zip(names, self._session.run(names, feeds), strict=True))

    def table(self, name: str) -> int | None:
        """How many rows the table has out of which this input of whole numbers chooses."""
        graph, chosen = self.model.graph, {name}
        sizes = {tensor.name: tensor.dims[0] for tensor in graph.initializer if tensor.dims}
        for node in graph.node:
            if node.op_type in _SAME_NUMBERS and node.input[0] in chosen:
                chosen.add(node.output[0])
            if node.op_type == "Gather" and node.input[1] in chosen and node.input[0] in sizes:
                return int(sizes[node.input[0]])
        return None


def all_nodes(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Those of a graph and of the graphs inside its nodes."""
    return [node for each in all_graphs(graph) for node in each.node]


def _tensor(value: ValueInfoProto) -> Tensor:
    kind = value.type.tensor_type
    shape: tuple[int | str | None, ...] | None = None
    if kind.HasField("shape"):
        shape = tuple(
            d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else d.dim_param or None
            for d in kind.shape.dim
        )
    return Tensor(value.name, kind.elem_type, shape)
