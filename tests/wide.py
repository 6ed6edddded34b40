"""A network whose steps are wide: the mean of all numbers so far, of a range or a frame."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from larnn_service.contract import METADATA_KEY, Channel, Contract, Input, StateTensor
from larnn_service.inputs import Frame, Range
from larnn_service.outputs import Output
from tests import toy
from tests.backend.test_model_repository import resign

RANGE = Input(range=Range(prefix="ch", count=512, unit="uV"))
SCALE = 2.0**-15
FRAME = Input(frame=Frame(samples=160, unit="1", sample_rate_hz=16_000, int16_scale=SCALE))


def contract(step: Input) -> Contract:
    """Of a network that takes such steps, 100 a second."""
    total = StateTensor(name="total", shape=(step.width,), dtype="float32", description="sums")
    level = Output(name="level", task="values", values=(Channel(name="level", unit="1"),))
    return Contract(input=step, outputs=(level,), sample_rate_hz=100, state=(total,))


def publish(root: Path, name: str, step: Input) -> Path:
    """Write root/NAME/1/."""
    own, kind = contract(step), TensorProto.FLOAT
    nodes = [
        helper.make_node("Unsqueeze", ["total", "one"], ["first"]),
        helper.make_node("Concat", ["first", "x"], ["steps"], axis=1),
        helper.make_node("CumSum", ["steps", "axis"], ["totals"]),
        helper.make_node("Unsqueeze", ["lengths", "one"], ["last"]),
        helper.make_node("GatherND", ["totals", "last"], ["next_total"], batch_dims=1),
        helper.make_node("Slice", ["totals", "one", "end", "one"], ["later"]),
        helper.make_node("ReduceMean", ["later", "two"], ["level"], keepdims=1),
    ]
    values = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "wide",
        [
            values("x", kind, ["batch", "steps", step.width]),
            values("lengths", TensorProto.INT64, ["batch"]),
            values("total", kind, ["batch", step.width]),
        ],
        [
            values("level", kind, ["batch", "steps", 1]),
            values("next_total", kind, ["batch", step.width]),
        ],
        [
            helper.make_tensor("one", TensorProto.INT64, [1], [1]),
            helper.make_tensor("two", TensorProto.INT64, [1], [2]),
            helper.make_tensor("end", TensorProto.INT64, [1], [2**31]),
            helper.make_tensor("axis", TensorProto.INT64, [], [1]),
        ],
    )
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: own.model_dump_json()})
    onnx.checker.check_model(model)
    folder = toy.publish(root, name, contract=json.loads(own.model_dump_json()))
    resign(folder, model)
    return folder


def expected(steps: NDArray[np.float32]) -> NDArray[np.float64]:
    """The level after each of the steps [steps, width]."""
    level: NDArray[np.float64] = np.cumsum(steps, axis=0, dtype=np.float64).mean(axis=1)
    return level
