"""The toy with a loop of 2**62 trips in it: always, or when a value of x is large."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from tests import toy
from tests.backend.test_model_repository import resign

LARGE = 1e6
"""A value above it makes a run endless."""
TRIPS = 2**62


def graph(always: bool = True, ends_when_told: bool = True) -> onnx.ModelProto:
    """`ends_when_told`: onnxruntime looks before each node whether a run shall end, and there is
    one in the loop."""
    model = toy.graph()
    nodes, i64 = model.graph.node, TensorProto.INT64
    [add] = [node for node in nodes if "next_seen" in node.output]
    add.output[:] = ["seen_before"]
    info = helper.make_tensor_value_info
    after = "after" if ends_when_told else "value"
    body = helper.make_graph(
        [helper.make_node("Identity", ["value"], ["after"])] if ends_when_told else [],
        "body",
        [
            info("trip", i64, []),
            info("go_on", TensorProto.BOOL, []),
            info("value", i64, ["batch"]),
        ],
        [info("go_on", TensorProto.BOOL, []), info(after, i64, ["batch"])],
    )
    nodes.extend(
        [
            helper.make_node("ReduceMax", ["x"], ["largest"], keepdims=0),
            helper.make_node("Greater", ["largest", "limit"], ["is_endless"]),
            helper.make_node("Cast", ["is_endless"], ["once"], to=i64),
            helper.make_node("Mul", ["once", "trips"], ["many"]),
            helper.make_node("Loop", ["many", "", "seen_before"], ["next_seen"], body=body),
        ]
    )
    limit = -1.0 if always else LARGE
    model.graph.initializer.extend(
        [
            helper.make_tensor("limit", TensorProto.FLOAT, [], [limit]),
            helper.make_tensor("trips", i64, [], [TRIPS]),
        ]
    )
    return model


def publish(
    root: Path,
    name: str = "toy",
    version: int = 1,
    always: bool = True,
    ends_when_told: bool = True,
) -> Path:
    """The folder of this version, whose run does not end."""
    folder = toy.publish(root, name, version)
    resign(folder, graph(always, ends_when_told))
    return folder
