"""Which models the service refuses to start with, and what it says."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import onnx
import pytest

from larnn_service.backend.model_repository import Repository, load_model
from larnn_service.contract import Contract
from larnn_service.engine.models.registry import at_start
from larnn_service.errors import StartupError
from tests import toy


def refusal(root: Path) -> str:
    with pytest.raises(StartupError) as error:
        at_start(Repository(root, "cpu"), "toy", keep=1)
    return str(error.value)


def resign(folder: Path, model: onnx.ModelProto) -> None:
    """Replace the graph, and its checksum in the manifest."""
    onnx.save(model, folder / "model.onnx")
    manifest = json.loads((folder / "model.json").read_text())
    digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    manifest["graph"]["sha256"] = digest
    (folder / "model.json").write_text(json.dumps(manifest))


def test_the_newest_version_of_each_model_is_loaded(tmp_path: Path) -> None:
    for name, version in (("toy", 2), ("toy", 10), ("other", 1)):
        toy.publish(tmp_path, name, version)
    for keep, serving in (
        (1, {("other", 1), ("toy", 10)}),
        (2, {("other", 1), ("toy", 2), ("toy", 10)}),
    ):
        models = at_start(Repository(tmp_path, "cpu"), "toy", keep)
        assert models.loaded().keys() == serving
        assert models["toy"].manifest.version == 10


def test_no_folder_and_no_default_model(tmp_path: Path) -> None:
    assert "is no folder" in refusal(tmp_path / "nowhere")
    toy.publish(tmp_path, "other")
    assert "LARNN_MODEL=toy" in refusal(tmp_path)
    assert "other" in refusal(tmp_path)


def test_without_a_name_the_only_model_is_the_default_one(tmp_path: Path) -> None:
    toy.publish(tmp_path, "toy")
    assert at_start(Repository(tmp_path, "cpu"), "", keep=1).default == "toy"
    toy.publish(tmp_path, "other")
    with pytest.raises(StartupError, match=r"larnn-har .*models found: other, toy"):
        at_start(Repository(tmp_path, "cpu"), "", keep=1)
    toy.publish(tmp_path, "larnn-har")
    assert at_start(Repository(tmp_path, "cpu"), "", keep=1).default == "larnn-har"


def test_a_damaged_graph(tmp_path: Path) -> None:
    graph = toy.publish(tmp_path) / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])
    assert "SHA-256" in refusal(tmp_path)
    graph.unlink()
    assert "cannot be read" in refusal(tmp_path)


def test_a_graph_that_is_no_onnx(tmp_path: Path) -> None:
    folder = toy.publish(tmp_path)
    (folder / "model.onnx").write_bytes(b"not onnx")
    manifest = json.loads((folder / "model.json").read_text())
    manifest["graph"]["sha256"] = hashlib.sha256(b"not onnx").hexdigest()
    (folder / "model.json").write_text(json.dumps(manifest))
    assert "onnxruntime cannot load it" in refusal(tmp_path)


def test_a_graph_of_attention_that_does_not_belong_to_the_model(tmp_path: Path) -> None:
    data = toy.graph().SerializeToString()
    entry = {"file": "attention.onnx", "sha256": hashlib.sha256(data).hexdigest()}
    graph = toy.publish(tmp_path, attention=entry) / "attention.onnx"
    assert "attention.onnx: cannot be read" in refusal(tmp_path)
    graph.write_bytes(data + b"more")
    assert "attention.onnx: its SHA-256" in refusal(tmp_path)
    graph.write_bytes(data)
    assert "output attention: the graph must have this one alone" in refusal(tmp_path)
    other = toy.graph()
    other.graph.input.append(onnx.helper.make_tensor_value_info("y", 1, ["batch"]))
    graph.write_bytes(other.SerializeToString())
    entry["sha256"] = hashlib.sha256(graph.read_bytes()).hexdigest()
    manifest = json.loads(graph.with_name("model.json").read_text()) | {"attention": entry}
    graph.with_name("model.json").write_text(json.dumps(manifest))
    assert "attention.onnx: input y" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"), [("{", "JSON"), ("{}", "name"), (None, "cannot be read")]
)
def test_a_damaged_manifest(tmp_path: Path, text: str | None, says: str) -> None:
    manifest = toy.publish(tmp_path) / "model.json"
    manifest.unlink() if text is None else manifest.write_text(text)
    assert says in refusal(tmp_path)


def test_a_folder_that_holds_another_model(tmp_path: Path) -> None:
    toy.publish(tmp_path, "other").parent.rename(tmp_path / "toy")
    assert "describes other/1" in refusal(tmp_path)


def changed(**changes: Any) -> dict[str, Any]:
    return toy.CONTRACT.model_dump(mode="json") | changes


TWO_CLASSES = {"name": "logits", "task": "classes", "labels": ["LEFT", "RIGHT"]}


def with_state(**changes: Any) -> dict[str, Any]:
    first, *rest = toy.CONTRACT.model_dump(mode="json")["state"]
    return changed(state=[first | changes, *rest])


@pytest.mark.parametrize(
    ("contract", "field"),
    [
        (changed(outputs=[TWO_CLASSES]), "outputs"),
        (changed(outputs=[*changed()["outputs"], TWO_CLASSES | {"name": "more"}]), "outputs"),
        (changed(input={"channels": [{"name": "left", "unit": "g"}]}), "input"),
        (changed(sample_rate_hz=100), "sample_rate_hz"),
        (with_state(shape=[3]), "state"),
        (with_state(initial=1), "state"),
    ],
)
def test_a_manifest_that_disagrees_with_the_graphs_metadata(
    tmp_path: Path, contract: dict[str, Any], field: str
) -> None:
    toy.publish(tmp_path, contract=contract)
    assert f"{field}: the graph says" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("contract", "field"),
    [
        (changed(outputs=[TWO_CLASSES]), "output logits: shape ['?', '?', 3]"),
        (changed(input={"channels": [{"name": "left", "unit": "g"}]}), "input x: shape"),
        (with_state(shape=[3]), "input total: shape ['?', 2]; the manifest says ['?', 3]"),
        (with_state(dtype="int64"), "input total: dtype float32"),
        (with_state(name="sum"), "input sum: the graph has no such tensor"),
        (
            changed(state=changed()["state"][:1]),
            "input seen: the graph has it, the manifest does not",
        ),
    ],
)
def test_a_manifest_that_disagrees_with_the_graphs_tensors(
    tmp_path: Path, contract: dict[str, Any], field: str
) -> None:
    folder = toy.publish(tmp_path, contract=contract)
    resign(folder, toy.graph(Contract.model_validate(contract)))
    assert field in refusal(tmp_path)


def test_a_graph_without_metadata(tmp_path: Path) -> None:
    graph = toy.graph()
    del graph.metadata_props[:]
    resign(toy.publish(tmp_path), graph)
    assert "metadata" in refusal(tmp_path)


def test_the_provider_is_said(tmp_path: Path) -> None:
    assert load_model(toy.publish(tmp_path), "auto").backend.provider == "CPUExecutionProvider"
