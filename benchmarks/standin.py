"""A stand-in network that every server can run: a stack of ONNX's own LSTM operator.

One set of random weights, two graphs: with the state as tensors, which this service and stateful
servers take, and over a whole window with the state inside, which any server takes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from export.data.uci_har import CHANNELS, LABELS, SAMPLE_RATE_HZ
from service.contract import (
    INPUT,
    LENGTHS,
    LOGITS,
    MANIFEST_FILE,
    METADATA_KEY,
    Contract,
    GraphFile,
    Manifest,
    StateTensor,
    TensorSignature,
)

NAME = "lstm-standin"
HIDDEN, LAYERS = 96, 3
OPSET, IR_VERSION = 18, 9

CONTRACT = Contract(
    channels=CHANNELS,
    labels=LABELS,
    sample_rate_hz=SAMPLE_RATE_HZ,
    state=tuple(
        StateTensor(name=f"{kind}_{layer}", shape=(HIDDEN,), dtype="float32", description=kind)
        for layer in range(LAYERS)
        for kind in ("hidden", "cell")
    ),
)


@dataclass(frozen=True)
class StandIn:
    """Where it was written."""

    models: Path
    """A models folder with the stateful graph: x, lengths and state in, logits and state out."""
    window: Path
    """x float32 [batch, steps, 9] → logits float32 [batch, 6], the last step's."""

    @property
    def folder(self) -> Path:
        return self.models / NAME / "1"


def write_standin(root: Path) -> StandIn:
    """Write both graphs under the folder, the same bytes each time."""
    standin = StandIn(root / "models", root / "window.onnx")
    standin.folder.mkdir(parents=True, exist_ok=True)
    standin.window.write_bytes(_window_graph().SerializeToString(deterministic=True))
    stateful = _stateful_graph().SerializeToString(deterministic=True)
    manifest = Manifest(
        name=NAME,
        version=1,
        description=f"{LAYERS} LSTM layers of {HIDDEN} with random weights, to measure servers by",
        contract=CONTRACT,
        graph=GraphFile(file="model.onnx", sha256=hashlib.sha256(stateful).hexdigest()),
        network={"family": "lstm", "hidden_size": HIDDEN, "layers": LAYERS},
    )
    (standin.folder / manifest.graph.file).write_bytes(stateful)
    (standin.folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=1) + "\n")
    return standin


def signal(steps: int, channels: int = len(CHANNELS)) -> NDArray[np.float32]:
    """Something to send [steps, channels], the same each time."""
    return np.random.default_rng(0).normal(size=(steps, channels)).astype(np.float32)


def _stateful_graph() -> ModelProto:
    nodes = [helper.make_node("Cast", [LENGTHS], ["lengths_32"], to=TensorProto.INT32)]
    nodes += _time_major(INPUT, "z_0")
    for layer in range(LAYERS):
        initial = [f"hidden_{layer}", f"cell_{layer}"]
        nodes += [
            helper.make_node("Unsqueeze", [name, "axis_0"], [f"initial_{name}"]) for name in initial
        ]
        nodes += _lstm(layer, "lengths_32", *(f"initial_{name}" for name in initial))
        nodes += [
            helper.make_node("Squeeze", [f"last_{name}", "axis_0"], [f"next_{name}"])
            for name in initial
        ]
    nodes += _time_major(f"z_{LAYERS}", "features")
    nodes += _readout("features")
    model = _model(nodes, CONTRACT.expected_inputs(), CONTRACT.expected_outputs())
    helper.set_model_props(model, {METADATA_KEY: CONTRACT.model_dump_json()})
    return model


def _window_graph() -> ModelProto:
    nodes = _time_major(INPUT, "z_0")
    for layer in range(LAYERS):
        nodes += _lstm(layer, "", "", "")
    nodes.append(helper.make_node("Squeeze", [f"last_hidden_{LAYERS - 1}", "axis_0"], ["features"]))
    nodes += _readout("features")
    return _model(
        nodes,
        [TensorSignature(name=INPUT, dtype="float32", shape=(None, None, len(CHANNELS)))],
        [TensorSignature(name=LOGITS, dtype="float32", shape=(None, len(LABELS)))],
    )


def _lstm(layer: int, lengths: str, hidden: str, cell: str) -> list[NodeProto]:
    """z of this layer [steps, batch, width] → z of the next one, and the layer's last state."""
    weights = [f"{name}_{layer}" for name in ("W", "R", "B")]
    outputs = [f"directions_{layer}", f"last_hidden_{layer}", f"last_cell_{layer}"]
    inputs = [f"z_{layer}", *weights, lengths, hidden, cell]
    return [
        helper.make_node("LSTM", inputs, outputs, name=f"lstm_{layer}", hidden_size=HIDDEN),
        helper.make_node("Squeeze", [outputs[0], "axis_1"], [f"z_{layer + 1}"]),
    ]


def _time_major(x: str, output: str) -> list[NodeProto]:
    return [helper.make_node("Transpose", [x], [output], perm=[1, 0, 2])]


def _readout(features: str) -> list[NodeProto]:
    return [
        helper.make_node("MatMul", [features, "readout"], ["product"]),
        helper.make_node("Add", ["product", "readout_bias"], [LOGITS]),
    ]


def _weights() -> dict[str, NDArray[np.float32]]:
    generator = np.random.default_rng(0)

    def uniform(*shape: int) -> NDArray[np.float32]:
        return generator.uniform(-1, 1, shape).astype(np.float32) / np.float32(np.sqrt(HIDDEN))

    weights = {}
    for layer in range(LAYERS):
        width = HIDDEN if layer else len(CHANNELS)
        weights[f"W_{layer}"] = uniform(1, 4 * HIDDEN, width)
        weights[f"R_{layer}"] = uniform(1, 4 * HIDDEN, HIDDEN)
        weights[f"B_{layer}"] = uniform(1, 8 * HIDDEN)
    return weights | {
        "readout": uniform(HIDDEN, len(LABELS)),
        "readout_bias": uniform(len(LABELS)),
    }


def _model(
    nodes: list[NodeProto], inputs: list[TensorSignature], outputs: list[TensorSignature]
) -> ModelProto:
    constants = [numpy_helper.from_array(value, name) for name, value in _weights().items()]
    constants += [
        numpy_helper.from_array(np.array([axis], dtype=np.int64), f"axis_{axis}") for axis in (0, 1)
    ]
    graph = helper.make_graph(
        nodes, NAME, [_declared(t) for t in inputs], [_declared(t) for t in outputs], constants
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    onnx.checker.check_model(model)
    return model


def _declared(signature: TensorSignature) -> ValueInfoProto:
    dtype = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64}[signature.dtype]
    sizes = [
        ("batch", "steps")[axis] if size is None else size
        for axis, size in enumerate(signature.shape)
    ]
    return helper.make_tensor_value_info(signature.name, dtype, sizes)
