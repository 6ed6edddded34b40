"""A stand-in network that every server can run: a stack of LSTM layers.

One set of random weights, two graphs: with the state as tensors, as the export writes it, which
this service and stateful servers take, and over a whole window with the state inside, by ONNX's
own operator, which any server takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from larnn_export.data.uci_har import CHANNELS, LABELS, SAMPLE_RATE_HZ
from larnn_export.families.builder import OPSET, Pen
from larnn_export.families.lstm import STATE, write_layer
from larnn_export.graph.model import model_of
from larnn_export.manifests import graph_entry, save_manifest
from larnn_export.wrapping.served_model import IR_VERSION
from larnn_service.contract import (
    INPUT,
    LENGTHS,
    LOGITS,
    Contract,
    Input,
    Manifest,
    StateTensor,
)
from larnn_service.outputs import classes

NAME = "lstm-standin"
HIDDEN, LAYERS = 96, 3

Floats = NDArray[np.float32]
Weights = dict[str, Floats]

CONTRACT = Contract(
    input=Input(channels=CHANNELS),
    outputs=classes(LABELS),
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
        graph=graph_entry(stateful),
        network={"family": "lstm", "hidden_size": HIDDEN, "layers": LAYERS},
    )
    (standin.folder / manifest.graph.file).write_bytes(stateful)
    save_manifest(standin.folder, manifest)
    return standin


def _stateful_graph() -> ModelProto:
    pen, z, weights = Pen(), INPUT, _weights()
    for layer in range(LAYERS):
        state = {name: f"{name}_{layer}" for name in STATE}
        width = HIDDEN if layer else len(CHANNELS)
        z, after = write_layer(pen, _of_layer(weights, layer), width, HIDDEN, z, state, LENGTHS)
        for name, value in after.items():
            pen.rename(value, f"next_{name}_{layer}")
    _write_logits(pen, z, weights)
    return model_of(pen, CONTRACT, NAME)


def _window_graph() -> ModelProto:
    pen, weights = Pen(), _weights()
    z = pen.time_major(INPUT)
    for layer in range(LAYERS):
        given = _of_layer(weights, layer)
        hiddens, last = pen.write_many("LSTM", 2, z, *given, hidden_size=HIDDEN)
        z = pen.write("Squeeze", hiddens, [1])
    _write_logits(pen, pen.write("Squeeze", last, [0]), weights)
    graph = pen.graph(
        NAME,
        [(INPUT, TensorProto.FLOAT, ["batch", "steps", len(CHANNELS)])],
        [(LOGITS, TensorProto.FLOAT, ["batch", len(LABELS)])],
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


def _of_layer(weights: Weights, layer: int) -> tuple[Floats, Floats, Floats]:
    return weights[f"W_{layer}"], weights[f"R_{layer}"], weights[f"B_{layer}"]


def _write_logits(pen: Pen, features: str, weights: Weights) -> None:
    product = pen.write("MatMul", features, weights["readout"])
    pen.rename(pen.write("Add", product, weights["readout_bias"]), LOGITS)


def _weights() -> Weights:
    generator = np.random.default_rng(0)

    def uniform(*shape: int) -> Floats:
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
