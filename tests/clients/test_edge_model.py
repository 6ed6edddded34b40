"""A version's folder at the edge: each file that its manifest names is loaded, and checked."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

from tests import carried
from tests.backend import test_external_data
from tests.clients.node import Driver


@pytest.fixture
def begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a model whose state has every type but bfloat16, which wasm does not run; it
    begins with a file's numbers, and with others."""
    monkeypatch.setattr(carried, "SUMS", [each for each in carried.SUMS if each != "bfloat16"])
    path = carried.publish(tmp_path)
    model = onnx.load(path / "model.onnx")
    manifest = json.loads((path / "model.json").read_text())
    manifest["contract"]["context"] = []
    given: dict[str, NDArray[Any]] = {"gain": np.ones(1, np.float32)}
    given["shift"] = np.zeros((1, 2), np.float32)
    given["upside_down"] = np.array([False])
    model.graph.initializer.extend(numpy_helper.from_array(a, n) for n, a in given.items())
    inputs = [each for each in model.graph.input if each.name not in given]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    onnx.save(model, path / "model.onnx")
    manifest["graph"]["sha256"] = hashlib.sha256((path / "model.onnx").read_bytes()).hexdigest()
    (path / "model.json").write_text(json.dumps(manifest))
    return path


def test_a_state_begins_with_what_the_manifest_says(node: Driver, begins: Path) -> None:
    told = node.do("begin", folder=str(begins))
    assert told["state"]["sum_int16"] == carried.START.ravel().tolist()
    for dtype in ("uint8", "uint16", "uint32", "uint64"):
        assert told["state"][f"sum_{dtype}"] == [carried.BEGINS]
    assert told["state"]["sum_float32"] == [0]
    _, right = carried.expected(np.zeros((1, 1), np.float32), gain=1)
    assert told["outputs"]["told"] == right[0].tolist()


def test_weights_beside_the_graph_are_used(node: Driver, tmp_path: Path) -> None:
    path = test_external_data.publish(tmp_path, weight=3)
    assert node.do("begin", folder=str(path))["outputs"]["logits"] == [3, 3, 4]


@pytest.mark.parametrize("name", [test_external_data.NAME, "sum_int16.npy", "model.onnx"])
def test_a_file_that_is_not_the_named_one_is_refused(
    node: Driver, tmp_path: Path, begins: Path, name: str
) -> None:
    path = begins
    if not (path / name).exists():
        path = test_external_data.publish(tmp_path)
    (path / name).write_bytes((path / name).read_bytes()[:-1] + b"!")
    told = node.error("begin", folder=str(path))
    assert told["detail"] == f"{name} is not what model.json names by its digest"


def test_a_model_that_takes_context_is_refused(node: Driver, tmp_path: Path) -> None:
    told = node.error("begin", folder=str(carried.publish(tmp_path)))
    assert told["error"] == "TypeError"
    assert "takes context (gain, shift, upside_down)" in told["detail"]
