"""The toy with a novelty: how large its first sum is. It was trained on small ones."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from larnn_service.contract import METADATA_KEY, Channel, Contract
from larnn_service.distribution import Distribution
from larnn_service.outputs import Output
from tests import toy
from tests.backend.test_model_repository import resign

THRESHOLD = 10.0
NOVELTY = Output(
    name="novelty",
    task="values",
    values=(Channel(name="novelty", unit=""),),
    unsure_above=THRESHOLD,
)
TRAINING = (
    Distribution(quantity="left", bounds=(0.0, 2.0), shares=(0.5, 0.25, 0.25)),
    Distribution(quantity="confidence", bounds=(0.9,), shares=(0.4, 0.6)),
    Distribution(quantity="novelty", bounds=(5.0,), shares=(0.9, 0.1)),
)


def contract() -> Contract:
    return toy.CONTRACT.model_copy(update={"outputs": (*toy.CONTRACT.outputs, NOVELTY)})


def publish(root: Path, name: str = "novel") -> Path:
    """Write root/NAME/1/."""
    own = contract()
    model = toy.graph(own)
    zero, one, last = (
        helper.make_tensor(f"novel_{value}", TensorProto.INT64, [1], [value]) for value in (0, 1, 2)
    )
    model.graph.initializer.extend((zero, one, last))
    first = helper.make_node("Slice", ["later", "novel_0", "novel_1", "novel_2"], ["novel_first"])
    model.graph.node.extend((first, helper.make_node("Abs", ["novel_first"], ["novelty"])))
    info = helper.make_tensor_value_info("novelty", TensorProto.FLOAT, ["batch", "steps", 1])
    model.graph.output.insert(1, info)
    helper.set_model_props(model, {METADATA_KEY: own.model_dump_json()})
    onnx.checker.check_model(model)
    training = [each.model_dump(mode="json") for each in TRAINING]
    described = json.loads(own.model_dump_json())
    folder = toy.publish(root, name, contract=described, training=training)
    resign(folder, model)
    return folder
