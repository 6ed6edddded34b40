"""The toy with outputs of every task: all of them are its running sums, read in another way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from larnn_service.contract import METADATA_KEY, Channel, Contract
from larnn_service.outputs import Output
from tests import toy
from tests.backend.test_model_repository import resign

SUMS = Output(
    name="sums",
    task="values",
    values=(Channel(name="left", unit="g"), Channel(name="right", unit="g")),
)
SIGNS = Output(name="signs", task="tags", labels=("LEFT", "RIGHT"))
CHANCE = Output(name="chance", task="probability", labels=("LEFT", "RIGHT"), dtype="float64")
SEEN = Output(name="steps_seen", task="raw", dtype="int64")
GRID = Output(name="grid", task="raw", shape=(2, 1), dtype="float16")
OUTPUTS = (SUMS, SIGNS, CHANCE, SEEN, GRID)
_NODES = (
    helper.make_node("Identity", ["later"], ["sums"]),
    helper.make_node("Identity", ["later"], ["signs"]),
    helper.make_node("Sigmoid", ["later"], ["later_chance"]),
    helper.make_node("Cast", ["later_chance"], ["chance"], to=TensorProto.DOUBLE),
    helper.make_node("Identity", ["seen_at"], ["steps_seen"]),
    helper.make_node("Unsqueeze", ["later", "minus_1d"], ["later_grid"]),
    helper.make_node("Cast", ["later_grid"], ["grid"], to=TensorProto.FLOAT16),
)
_TYPES = {
    "float16": TensorProto.FLOAT16,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "int64": TensorProto.INT64,
}


def contract(first: str = SUMS.name) -> Contract:
    """Its answer is the output of that name."""
    outputs = sorted(OUTPUTS, key=lambda output: output.name != first)
    return toy.CONTRACT.model_copy(update={"outputs": tuple(outputs)})


def publish(root: Path, name: str = "many", first: str = SUMS.name) -> Path:
    """Write root/NAME/1/."""
    own = contract(first)
    model = toy.graph(own)
    model.graph.node.extend(_NODES)
    del model.graph.output[0]
    for output in reversed(own.outputs):
        shape: list[str | int | None] = ["batch", "steps", *output.step_shape]
        info = helper.make_tensor_value_info(output.name, _TYPES[output.dtype], shape)
        model.graph.output.insert(0, info)
    helper.set_model_props(model, {METADATA_KEY: own.model_dump_json()})
    onnx.checker.check_model(model)
    folder = toy.publish(root, name, contract=json.loads(own.model_dump_json()))
    resign(folder, model)
    return folder


def expected(steps: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """All outputs [steps, …] of a sequence [steps, 2]."""
    sums = np.cumsum(steps, axis=0, dtype=np.float32)
    return {
        "sums": sums,
        "signs": sums,
        "chance": (1 / (1 + np.exp(-sums))).astype(np.float64),
        "steps_seen": np.arange(1, len(steps) + 1),
        "grid": sums[:, :, None].astype(np.float16),
    }
