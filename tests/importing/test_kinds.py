"""Every kind of graph becomes a version that the service loads, equal to the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from larnn_export.importing import Options, import_graph
from larnn_export.importing.importer import DATA_FILE, Imported
from larnn_service.backend.model_repository import load_model
from tests.importing import graphs

Case = tuple[Callable[[Path], Path], dict[str, Any], str, str]
FRAMES = {
    "input": {"frame": 4, "overlap": 2},
    "constants": {"sr": 16000},
    "sample_rate_hz": 16000,
}
TOGETHER = ("together", "one")
CASES: list[Case] = [
    (graphs.one_step, {}, "together", "one"),
    (graphs.one_step, {"rows": "alone"}, "alone", "one"),
    (graphs.fixed_batch, {}, "alone", "one"),
    (graphs.batch_last, {}, "together", "one"),
    (graphs.layers_first, {}, "together", "one"),
    (graphs.old_opset, {}, "alone", "one"),
    (graphs.older_opset, {}, "alone", "one"),
    (graphs.sequence, {}, "together", "whole"),
    (graphs.sequence, {"rows": "alone"}, "alone", "whole"),
    (graphs.sequence, {"steps": "one"}, "together", "one"),
    (graphs.running_sum, {}, "alone", "whole"),
    (graphs.running_sum, {"steps": "one"}, "together", "one"),
    (graphs.last_answer, {}, "together", "one"),
    (graphs.half, {}, "together", "one"),
    (graphs.told_once, {"once": {"speaker": "required"}, "constants": {"gain": 2}}, *TOGETHER),
    (graphs.told_once, {"once": {"speaker": 0.5, "gain": 2}}, "alone", "one"),
    (graphs.quantised, {}, "together", "one"),
    (graphs.branches, FRAMES, "together", "one"),
    (graphs.rows_meet, {}, "alone", "one"),
    (graphs.many_types, {}, "together", "one"),
    (graphs.many_types, {"rows": "alone"}, "alone", "one"),
    (graphs.tokens, {"input": {"tokens": 50}}, "alone", "whole"),
    (graphs.tokens, {"input": {"tokens": 50}, "steps": "one"}, *TOGETHER),
    (graphs.brain, {}, "together", "one"),
    (graphs.brain, {"rows": "alone"}, "alone", "one"),
]


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{case[0].__name__}-{case[2]}-{case[3]}" for case in CASES]
)
def test_a_graph_is_imported_and_loads(case: Case, tmp_path: Path) -> None:
    write, said, rows, steps = case
    options = Options.model_validate({"name": "mine", **said})
    imported = import_graph(write(tmp_path), options, tmp_path / "models")
    assert (imported.plan.layout.rows, imported.plan.layout.steps) == (rows, steps)
    assert imported.difference.largest < {"float16": 1e-2}.get(_precision(imported), 5e-6)
    model = load_model(imported.folder, "cpu")
    assert model.manifest.network["imported"]["rows"] == rows
    assert sorted(path.name for path in (tmp_path / "models" / "mine").iterdir()) == [
        "1",
        "config.pbtxt",
    ]


def _precision(imported: Imported) -> str:
    manifest = load_model(imported.folder, "cpu").manifest
    precision: str = manifest.network["imported"]["precision"]
    return precision


def test_rows_alone_are_the_files_bit_for_bit(tmp_path: Path) -> None:
    for write in (graphs.fixed_batch, graphs.old_opset, graphs.sequence, graphs.quantised):
        options = Options(name=write.__name__.replace("_", "-"), rows="alone")
        difference = import_graph(write(tmp_path), options, tmp_path / "models").difference
        assert difference.largest == difference.state == 0, write


def test_the_card_says_why_rows_run_alone(tmp_path: Path) -> None:
    file = graphs.rows_meet(tmp_path)
    imported = import_graph(file, Options(name="mine"), tmp_path / "models")
    card = (imported.folder / "README.md").read_text()
    assert "Each row runs alone" in card and "Why so: y of row" in card


@pytest.mark.parametrize(("write", "bound"), [(graphs.one_step, 5e-6), (graphs.brain, 1e-2)])
def test_state_begins_with_an_array_of_a_file(
    write: Callable[[Path], Path], bound: float, tmp_path: Path
) -> None:
    start = tmp_path / "start.npy"
    np.save(start, np.random.default_rng(0).normal(0, 1, (1, 8)).astype(np.float32))
    options = Options(name="mine", initial={"h": str(start)})
    imported = import_graph(write(tmp_path), options, tmp_path / "models")
    assert imported.difference.largest < bound
    model = load_model(imported.folder, "cpu")
    np.testing.assert_array_equal(model.initial["h"], np.load(start)[0])


def test_several_outputs_have_a_figure_each_beside_the_states(tmp_path: Path) -> None:
    text = """several (float[N,4] x, float[N,4] h)
        => (float[N,4] state, float[N,4] y, float[N,4] hn) {
        state = Sub(x, h)
        y = Mul(state, x)
        hn = Add(h, x)
    }"""
    imported = import_graph(graphs.write(tmp_path, text, {}), Options(name="mine"), tmp_path)
    manifest = load_model(imported.folder, "cpu").manifest
    assert [output.name for output in manifest.contract.outputs] == ["state_2", "y"]
    assert set(manifest.metrics["parity"]) == {"state_2", "y", "state"}
    card = (imported.folder / "README.md").read_text()
    assert "| y | raw | [4] |" in card and "| h | float32 [4] | h of the file" in card


def test_weights_beside_the_file_are_taken_in(tmp_path: Path) -> None:
    model = onnx.load(graphs.one_step(tmp_path))
    file = tmp_path / "apart.onnx"
    onnx.save(model, file, save_as_external_data=True, location="apart.bin", size_threshold=0)
    imported = import_graph(file, Options(name="mine"), tmp_path / "models")
    assert imported.difference.largest < 1e-6
    load_model(imported.folder, "cpu")


def test_large_weights_stay_beside_the_graph_with_their_checksum(tmp_path: Path) -> None:
    file = graphs.one_step(tmp_path)
    imported = import_graph(file, Options(name="mine"), tmp_path / "models", largest=200)
    assert (imported.folder / DATA_FILE).exists()
    model = load_model(imported.folder, "cpu")
    [data] = model.manifest.graph.data
    assert data.file == DATA_FILE


def test_where_it_comes_from_is_told(tmp_path: Path) -> None:
    file = graphs.one_step(tmp_path)
    imported = import_graph(file, Options(name="mine"), tmp_path / "models")
    manifest, found = load_model(imported.folder, "cpu").manifest, imported.difference
    assert manifest.metrics["parity"] == {"y": found.largest, "state": found.state}
    compared = {"on": "normal noise", "steps": 61, "bound": 1e-5, "tolerance": None}
    assert manifest.metrics["compared"] == compared
    origin = manifest.network["imported"]
    assert origin["file"] == "one_step.onnx"
    assert origin["producer"] == "tests"
    assert origin["state"] == {"h": "hn"}
    assert origin["sha256"] in (imported.folder / "README.md").read_text()
