"""A graph whose names are its own, so that it can stand inside another one."""

from __future__ import annotations

from onnx import GraphProto, NodeProto, TensorProto


def prefixed(graph: GraphProto, prefix: str) -> GraphProto:
    """A copy in which every name has the prefix, also where its branches and loops use values from
    around them (onnx.compose leaves those as they were). Notes on shapes, and on where a node was
    made, with paths of that machine, are left out."""
    copy = GraphProto()
    copy.CopyFrom(graph)
    _rename(copy, prefix)
    return copy


def _rename(graph: GraphProto, prefix: str) -> None:
    sparse: list[TensorProto] = [
        part for tensor in graph.sparse_initializer for part in (tensor.values, tensor.indices)
    ]
    del graph.value_info[:]
    for named in (*graph.input, *graph.output, *graph.initializer, *sparse):
        named.name = prefix + named.name
    for node in graph.node:
        _rename_node(node, prefix)


def _rename_node(node: NodeProto, prefix: str) -> None:
    del node.metadata_props[:]
    node.doc_string = ""
    node.name = node.name and prefix + node.name
    for names in (node.input, node.output):
        for index, name in enumerate(names):
            names[index] = name and prefix + name  # an optional one that is not given has no name
    for attribute in node.attribute:
        for graph in [attribute.g] if attribute.HasField("g") else attribute.graphs:
            _rename(graph, prefix)
