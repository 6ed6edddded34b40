"""A graph whose names are its own, so that it can stand inside another one."""

from __future__ import annotations

from onnx import GraphProto


def prefixed(graph: GraphProto, prefix: str) -> GraphProto:
    """A copy with `prefix` before every name, also where the graphs of its branches and loops use
    values from around them (onnx.compose leaves those as they were). Without notes on shapes."""
    copy = GraphProto()
    copy.CopyFrom(graph)
    _rename(copy, prefix)
    return copy


def _rename(graph: GraphProto, prefix: str) -> None:
    del graph.value_info[:]
    for named in (*graph.input, *graph.output, *graph.initializer):
        named.name = prefix + named.name
    for sparse in graph.sparse_initializer:
        sparse.values.name = prefix + sparse.values.name
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [prefix + name if name else "" for name in names]
        for attribute in node.attribute:
            for inner in ([attribute.g] if attribute.HasField("g") else []) + [*attribute.graphs]:
                _rename(inner, prefix)
