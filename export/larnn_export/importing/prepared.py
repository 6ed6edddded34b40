"""The file's graph, made ready to stand inside another one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import onnx
from onnx import GraphProto, numpy_helper, version_converter
from onnx.inliner import inline_local_functions

from larnn_export.importing.axes import constants
from larnn_export.importing.options import Options
from larnn_export.importing.original import LAYERS, Original, all_nodes
from larnn_export.importing.problems import ImportFailed
from larnn_export.reasons import reason
from larnn_export.wrapping.prefixed import prefixed

NET = "net."
"""Before every name of the file: no tensor of a contract can have a dot in its name."""
OLDEST = 11
"""Operator sets from here on have what is put around the graph."""
LENGTHS_32 = "loop.lengths_32"
_LENGTHS_INPUT = 4


@dataclass(frozen=True)
class Prepared:
    graph: GraphProto
    """All of its names begin with NET."""
    opsets: dict[str, int]
    ir_version: int


def prepare(original: Original, options: Options) -> Prepared:
    """With its constants inside, without functions, of an operator set that is new enough.

    Raises ImportFailed.
    """
    model = onnx.ModelProto()
    model.CopyFrom(original.model)
    if model.functions:
        model = inline_local_functions(model)
    if original.opset < OLDEST:
        try:
            model = version_converter.convert_version(model, OLDEST)
        except Exception as error:  # onnx's converter has no class of its own
            raise ImportFailed(
                [
                    f"its operator set {original.opset} cannot be raised to {OLDEST}: "
                    f"{reason(error)}: export it again with opset {OLDEST} or newer"
                ]
            ) from error
    graph = model.graph
    for name, value in constants(original, options).items():
        graph.initializer.append(numpy_helper.from_array(value, name))
        inputs = [each for each in graph.input if each.name != name]
        del graph.input[:]
        graph.input.extend(inputs)
    used = {"" if n.domain == "ai.onnx" else n.domain for n in all_nodes(graph)} | {""}
    opsets = {"" if o.domain == "ai.onnx" else o.domain: o.version for o in model.opset_import}
    return Prepared(
        prefixed(graph, NET),
        {domain: version for domain, version in opsets.items() if domain in used},
        model.ir_version,
    )


def without_weights(prepared: Prepared) -> Prepared:
    """The same without them, for a loop whose weights stand around it."""
    graph = GraphProto()
    graph.CopyFrom(prepared.graph)
    del graph.initializer[:]
    return dataclasses.replace(prepared, graph=graph)


def has_layers(graph: GraphProto) -> bool:
    """Whether it has recurrent layers that can be told the lengths of rows."""
    return any(_takes_lengths(node) for node in graph.node)


def told_lengths(graph: GraphProto) -> GraphProto:
    """The same graph, whose recurrent layers stop each row at its length, LENGTHS_32."""
    told = onnx.GraphProto()
    told.CopyFrom(graph)
    for node in told.node:
        if _takes_lengths(node):
            while len(node.input) <= _LENGTHS_INPUT:
                node.input.append("")
            node.input[_LENGTHS_INPUT] = LENGTHS_32
    return told


def _takes_lengths(node: onnx.NodeProto) -> bool:
    free = len(node.input) <= _LENGTHS_INPUT or not node.input[_LENGTHS_INPUT]
    return node.op_type in LAYERS and free
