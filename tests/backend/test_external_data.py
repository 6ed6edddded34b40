"""Weights beside the graph: those whose checksum the manifest has are used, and no others."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from larnn_service.backend.model_repository import load_model
from larnn_service.errors import StartupError
from tests import toy
from tests.backend.test_model_repository import resign

SIZE = 600
"""Weights: more than a shape needs, which onnxruntime reads at another time."""
OTHERS = np.full(SIZE, 7, np.float32).tobytes()
NAME = "model.onnx.data"


def graph(location: str = NAME, size: int = SIZE, constant: bool = False) -> onnx.ModelProto:
    """The toy, its first logit more by the first weight; they are at this location."""
    model = toy.graph()
    weights = numpy_helper.from_array(np.zeros(size, np.float32), "weights")
    external_data_helper.set_external_data(weights, location)
    weights.ClearField("raw_data")
    i64 = TensorProto.INT64
    model.graph.initializer.extend(
        [
            helper.make_tensor("zero_1d", i64, [1], [0]),
            helper.make_tensor("size", i64, [1], [1]),
        ]
    )
    if constant:
        nodes = [helper.make_node("Constant", [], ["weights"], value=weights)]
    else:
        nodes, _ = [], model.graph.initializer.append(weights)
    nodes += [
        helper.make_node("Slice", ["weights", "zero_1d", "size"], ["weight"]),
        helper.make_node("Add", ["plain", "weight"], ["logits"]),
    ]
    model.graph.node[-1].output[:] = ["plain"]
    model.graph.node.extend(nodes)
    return model


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def publish(root: Path, location: str = NAME, weight: float = 3, size: int = SIZE) -> Path:
    """A version whose manifest names its weights."""
    folder = toy.publish(root)
    resign(folder, graph(location, size))
    data = np.full(size, weight, np.float32).tobytes()
    (folder / NAME).write_bytes(data)
    name(folder, sha256(data))
    return folder


def name(folder: Path, digest: str, file: str = NAME) -> None:
    """Let the manifest list a file."""
    manifest = json.loads((folder / "model.json").read_text())
    manifest["graph"]["data"] = [{"file": file, "sha256": digest}]
    (folder / "model.json").write_text(json.dumps(manifest))


def first_logit(folder: Path) -> float:
    model = load_model(folder, "cpu", runs=2)
    state = {tensor.name: tensor.initial_array(1) for tensor in model.manifest.contract.state}
    logits, _ = model.backend.run(np.zeros((1, 1, 2), np.float32), np.ones(1, np.int64), state)
    return float(logits[0, 0, 0])


def refusal(folder: Path) -> str:
    with pytest.raises(StartupError) as error:
        load_model(folder, "cpu")
    return str(error.value)


@pytest.mark.parametrize("size", [SIZE, 3])
def test_listed_weights_are_those_that_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Not those of the same name in the working folder."""
    (tmp_path / NAME).write_bytes(OTHERS)
    monkeypatch.chdir(tmp_path)
    assert first_logit(publish(tmp_path / "models", size=size)) == 3
    assert first_logit(publish(tmp_path / "others", f"./{NAME}", 4, size)) == 4


def test_changed_weights_are_a_damaged_file(tmp_path: Path) -> None:
    folder = publish(tmp_path)
    (folder / NAME).write_bytes(OTHERS)
    assert f"{NAME}: its SHA-256 is" in refusal(folder)
    (folder / NAME).unlink()
    assert f"{NAME}: cannot be read" in refusal(folder)


def test_weights_that_are_too_short_are_refused(tmp_path: Path) -> None:
    folder = publish(tmp_path)
    (folder / NAME).write_bytes(OTHERS[:8])
    name(folder, sha256(OTHERS[:8]))
    assert "model.onnx: graph: weights outside of it" in refusal(folder)


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("size", [SIZE, 3])
@pytest.mark.parametrize("location", [NAME, f"../1/{NAME}", "absolute", f"sub/../{NAME}"])
def test_unlisted_weights_are_refused_wherever_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str, size: int, constant: bool
) -> None:
    """Beside the graph or in the working folder."""
    folder = toy.publish(tmp_path)
    (folder / NAME).write_bytes(OTHERS)
    (folder / "sub").mkdir()
    monkeypatch.chdir(folder)
    place = str(folder / NAME) if location == "absolute" else location
    resign(folder, graph(place, size, constant))
    assert "must be files of its folder that the manifest names" in refusal(folder)


def test_other_weights_than_the_listed_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = publish(tmp_path, "other.data")
    (folder / "other.data").write_bytes(OTHERS)
    monkeypatch.chdir(folder)
    assert "must be files of its folder that the manifest names" in refusal(folder)


def test_an_address_in_memory_is_no_place_for_weights(tmp_path: Path) -> None:
    """onnxruntime's own mark of one."""
    folder = toy.publish(tmp_path)
    resign(folder, graph("*/_ORT_MEM_ADDR_/*"))
    assert "model.onnx: graph: " in refusal(folder)
