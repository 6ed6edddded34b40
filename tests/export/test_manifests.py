"""Manifests of format 1 are read, and written anew in format 2; their graphs stay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from typer.testing import CliRunner

from larnn_export.__main__ import app
from larnn_service.backend.model_repository import load_model
from larnn_service.contract import METADATA_KEY, Manifest
from tests import live, toy
from tests.backend.test_model_repository import resign

BUNDLED = sorted((live.ROOT / "models").glob("*/*/model.json"))
FORMAT_1 = toy.of_format_1(toy.CONTRACT.model_dump(mode="json"))


def publish_of_format_1(root: Path, **changes: Any) -> Path:
    """The toy as it was published before there was format 2, graph and manifest."""
    folder = toy.publish(root, contract=FORMAT_1 | changes, format=1)
    graph = toy.graph()
    helper.set_model_props(graph, {METADATA_KEY: json.dumps(FORMAT_1)})
    resign(folder, graph)
    return folder


def test_a_version_of_format_1_is_served_and_written_anew(tmp_path: Path) -> None:
    folder = publish_of_format_1(tmp_path)
    before = load_model(folder, "cpu")
    assert before.manifest.contract == toy.CONTRACT
    x, lengths = np.ones((1, 3, 2), np.float32), np.array([3])
    state = {name: array[None] for name, array in before.initial.items()}
    told, _ = before.backend.run(x, lengths, state)
    assert told[0, -1].tolist() == [3, 3, 3]
    graph = (folder / "model.onnx").read_bytes()
    result = CliRunner().invoke(app, ["manifest", str(folder)])
    assert result.exit_code == 0, result.output
    record = json.loads((folder / "model.json").read_text())
    assert record["format"] == 2
    assert record["contract"] == toy.CONTRACT.model_dump(mode="json")
    assert (folder / "model.onnx").read_bytes() == graph
    assert load_model(folder, "cpu").manifest.contract == toy.CONTRACT
    assert CliRunner().invoke(app, ["manifest", str(tmp_path)]).exit_code == 2


def test_a_manifest_of_format_1_that_says_something_else_is_refused(tmp_path: Path) -> None:
    folder = publish_of_format_1(tmp_path, labels=["LEFT", "RIGHT", "WRONG"])
    with pytest.raises(Exception, match="outputs: the graph says"):
        load_model(folder, "cpu")


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.parts[-3])
def test_bundled_manifests_are_of_format_2_and_agree_with_graphs_of_before(path: Path) -> None:
    """After a change of the format: python -m export manifest models/*/*."""
    manifest = Manifest.model_validate_json(path.read_bytes())
    assert manifest.format == 2
    assert path.read_text() == manifest.model_dump_json(indent=1) + "\n"
    graph = onnx.load(path.with_name(manifest.graph.file))
    metadata = {entry.key: entry.value for entry in graph.metadata_props}
    manifest.contract.check_metadata(metadata[METADATA_KEY])
