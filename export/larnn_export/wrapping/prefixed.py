"""A graph whose names are its own, so that it can stand inside another one."""

from __future__ import annotations

from collections.abc import Iterator

from onnx import GraphProto, NodeProto


def prefixed(graph: GraphProto, prefix: str) -> GraphProto:
    """A copy in which every name has the prefix, also where its branches and loops use values from
    around them (onnx.compose leaves those as they were). Notes on shapes, and on where a node was
    made, with paths of that machine, are left out. Raises ValueError as `require_dense` does."""
    require_dense(graph)
    copy = GraphProto()
    copy.CopyFrom(graph)
    for each in all_graphs(copy):
        del each.value_info[:]
        for named in (*each.input, *each.output, *each.initializer):
            named.name = prefix + named.name
        for node in each.node:
            _rename(node, prefix)
    return copy


def require_dense(graph: GraphProto) -> None:
    """Raise ValueError where a weight is stored sparse: bodies of loops do not take it along."""
    for each in all_graphs(graph):
        for tensor in each.sparse_initializer:
            raise ValueError(
                f"its weight {tensor.values.name} is stored sparse: save it as a dense initializer"
            )


def all_graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """It, and the graphs inside its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from all_graphs(inner)


def _rename(node: NodeProto, prefix: str) -> None:
    del node.metadata_props[:]
    node.doc_string = ""
    node.name = node.name and prefix + node.name
    for names in (node.input, node.output):
        for index, name in enumerate(names):
            names[index] = name and prefix + name  # an optional one that is not given has no name
