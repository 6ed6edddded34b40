"""A recurrent network small enough to check by hand: a running sum, classified.

State `total` [2] sums the two channels over time; logits are (total_0, total_1, steps so far).
Built node by node, so that the service's tests need no torch.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

from larnn_service.contract import (
    METADATA_KEY,
    Channel,
    Contract,
    GraphFile,
    Input,
    Manifest,
    StateTensor,
)
from larnn_service.outputs import classes

CONTRACT = Contract(
    input=Input(channels=(Channel(name="left", unit="g"), Channel(name="right", unit="g"))),
    outputs=classes(("LEFT", "RIGHT", "LONG")),
    sample_rate_hz=50,
    state=(
        StateTensor(name="total", shape=(2,), dtype="float32", description="sum of the inputs"),
        StateTensor(
            name="seen", shape=(), dtype="int64", maximum=2**40, description="steps so far"
        ),
    ),
)


def graph(contract: Contract = CONTRACT) -> onnx.ModelProto:
    """The toy's graph, with the contract in its metadata."""
    f32, i64 = TensorProto.FLOAT, TensorProto.INT64
    constants = {"axis_1": 1, "one": 1, "zero": 0, "minus_1": -1}
    nodes = [
        helper.make_node("Unsqueeze", ["total", "one_1d"], ["first"]),
        helper.make_node("Concat", ["first", "x"], ["steps"], axis=1),
        helper.make_node("CumSum", ["steps", "axis_1"], ["totals"]),
        helper.make_node("Unsqueeze", ["lengths", "one_1d"], ["last"]),
        helper.make_node("GatherND", ["totals", "last"], ["next_total"], batch_dims=1),
        helper.make_node("Add", ["seen", "lengths"], ["next_seen"]),
        helper.make_node("Shape", ["x"], ["x_shape"]),
        helper.make_node("Gather", ["x_shape", "one"], ["x_steps"]),
        helper.make_node("Add", ["x_steps", "one"], ["stop"]),
        helper.make_node("Range", ["one", "stop", "one"], ["counts"]),
        helper.make_node("Unsqueeze", ["seen", "one_1d"], ["seen_column"]),
        helper.make_node("Add", ["seen_column", "counts"], ["seen_at"]),
        helper.make_node("Cast", ["seen_at"], ["seen_float"], to=f32),
        helper.make_node("Unsqueeze", ["seen_float", "minus_1d"], ["third"]),
        helper.make_node("Slice", ["totals", "one_1d", "end_1d", "one_1d"], ["later"]),
        helper.make_node("Concat", ["later", "third"], ["logits"], axis=2),
    ]
    initializers = [
        *(helper.make_tensor(name, i64, [], [value]) for name, value in constants.items()),
        helper.make_tensor("one_1d", i64, [1], [1]),
        helper.make_tensor("minus_1d", i64, [1], [-1]),
        helper.make_tensor("end_1d", i64, [1], [2**31]),
    ]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "toy",
            [
                helper.make_tensor_value_info("x", f32, ["batch", "steps", 2]),
                helper.make_tensor_value_info("lengths", i64, ["batch"]),
                helper.make_tensor_value_info("total", f32, ["batch", 2]),
                helper.make_tensor_value_info("seen", i64, ["batch"]),
            ],
            [
                helper.make_tensor_value_info("logits", f32, ["batch", "steps", 3]),
                helper.make_tensor_value_info("next_total", f32, ["batch", 2]),
                helper.make_tensor_value_info("next_seen", i64, ["batch"]),
            ],
            initializers,
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    helper.set_model_props(model, {METADATA_KEY: contract.model_dump_json()})
    return model


def of_format_1(contract: dict[str, Any]) -> dict[str, Any]:
    """This classifier's contract as a manifest of format 1 has it."""
    rest = {name: field for name, field in contract.items() if name not in ("input", "outputs")}
    [logits] = contract["outputs"]
    return {"channels": contract["input"]["channels"], "labels": logits["labels"], **rest}


def publish(root: Path, name: str = "toy", version: int = 1, **changes: Any) -> Path:
    """Write root/<name>/<version>/; `changes` overwrite fields of the manifest's JSON."""
    folder = root / name / str(version)
    folder.mkdir(parents=True)
    onnx.save(graph(), folder / "model.onnx")
    digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    manifest = Manifest(
        name=name,
        version=version,
        description="a running sum",
        contract=CONTRACT,
        graph=GraphFile(file="model.onnx", sha256=digest),
        network={},
    )
    (folder / "model.json").write_text(
        json.dumps(manifest.model_dump(mode="json") | changes, indent=1)
    )
    return folder
