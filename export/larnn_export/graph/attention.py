"""From a model's graph to one that says where its last step looked: the weights of its attention.

A file of its own beside the model's, so that those who do not ask pay nothing: a runtime computes
every value that a loop collects, asked for or not.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx
from onnx import GraphProto, NodeProto, helper, inliner

from larnn_service.contract import ATTENTION, LENGTHS


def attention_graph(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """x, lengths and the state in as for the model; attention [batch, layers, heads, k] out, of
    each row's last step, oldest slot first. None for a network without attention in its loops.
    """
    model = inliner.inline_local_functions(model)
    graph = model.graph
    layers = [
        _collected(node, weights)
        for node in graph.node
        if node.op_type == "Scan" and (weights := _weights(_body(node))) is not None
    ]
    if not layers:
        return None
    graph.node.extend(_of_last_step(layers))
    shape: list[str | int | None] = ["batch", len(layers), "heads", "window"]
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(ATTENTION, onnx.TensorProto.FLOAT, shape))
    _keep_what_it_needs(graph)
    onnx.checker.check_model(model)
    return model


def _weights(body: GraphProto) -> str | None:
    """What the softmax in a loop's body gives: [batch, k, heads]."""
    return next((node.output[0] for node in body.node if node.op_type == "Softmax"), None)


def _collected(scan: NodeProto, weights: str) -> str:
    """Let the loop collect its weights: [steps, batch, k, heads]."""
    each = helper.make_tensor_value_info(weights, onnx.TensorProto.FLOAT, None)
    _body(scan).output.append(each)
    collected = f"{scan.name}_{ATTENTION}"
    scan.output.append(collected)
    return collected


def _of_last_step(layers: list[str]) -> Iterator[NodeProto]:
    yield helper.make_node("Constant", [], ["attention_one"], value_ints=[1])
    yield helper.make_node("Sub", [LENGTHS, "attention_one"], ["attention_before_end"])
    yield helper.make_node("Unsqueeze", ["attention_before_end", "attention_one"], ["attention_at"])
    for layer in layers:
        yield helper.make_node("Transpose", [layer], [f"{layer}_rows"], perm=[1, 0, 3, 2])
        yield helper.make_node(
            "GatherND", [f"{layer}_rows", "attention_at"], [f"{layer}_last"], batch_dims=1
        )
        yield helper.make_node(
            "Unsqueeze", [f"{layer}_last", "attention_one"], [f"{layer}_of_last"]
        )
    yield helper.make_node("Concat", [f"{layer}_of_last" for layer in layers], [ATTENTION], axis=1)


def _keep_what_it_needs(graph: GraphProto) -> None:
    needed, kept = {ATTENTION}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(_read_by(node))
            kept.append(node)
    kept.reverse()
    optional = {constant.name for constant in graph.initializer} - needed
    inputs = [tensor for tensor in graph.input if tensor.name not in optional]
    constants = [constant for constant in graph.initializer if constant.name in needed]
    for field, values in (
        (graph.node, kept),
        (graph.input, inputs),
        (graph.initializer, constants),
    ):
        del field[:]
        field.extend(values)


def _read_by(node: NodeProto) -> Iterator[str]:
    """What the node takes, and what the body of a loop takes from around it."""
    yield from node.input
    if node.op_type == "Scan":
        for inner in _body(node).node:
            yield from _read_by(inner)


def _body(scan: NodeProto) -> GraphProto:
    body: GraphProto = next(a.g for a in scan.attribute if a.name == "body")
    return body
