"""What is published is whole, verified, and what was measured."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch

from larnn_export.checkpoint import load_network
from larnn_export.data.hapt import load_places, load_recordings
from larnn_export.data.uci_har import CHANNELS, load_split
from larnn_export.networks import RawClassifier
from tests import live
from tests.commands.conftest import SMALL, export, refusal


def test_what_is_published_is_whole(models: Path, runs: Path) -> None:
    folder = models / "larnn-har" / "1"
    manifest = json.loads((folder / "model.json").read_text())
    assert manifest["network"]["hidden_size"] == 8
    assert manifest["metrics"]["test"]["windows"] == 36
    assert manifest["metrics"]["parity"]["logits"] < 1e-5
    card = (folder / "README.md").read_text()
    assert f"{manifest['metrics']['test']['accuracy']:.2%}" in card
    assert "each held out once in five folds" in card
    for picture in ("learning-curves.png", "confusion-matrix.png"):
        assert f"](checkpoint/{picture})" in card
        assert (folder / "checkpoint" / picture).is_file()
    assert not list(models.rglob(".publishing-*"))


def test_the_service_serves_it_with_the_accuracy_of_its_card(models: Path, data: Path) -> None:
    test = load_split("test", data)
    with live.running(models=models) as url:
        body = {"sequences": test.signals.tolist()}
        answer = httpx.post(f"{url}/classify", json=body, timeout=60).raise_for_status().json()
        served = httpx.get(f"{url}/models").json()
    labels = [prediction["label"] for prediction in answer["predictions"]]
    manifest = json.loads((models / "larnn-har" / "1" / "model.json").read_text())
    names = np.array(manifest["contract"]["outputs"][0]["labels"])[test.labels]
    assert np.mean(np.array(labels) == names) == manifest["metrics"]["test"]["accuracy"]
    assert len(served["models"][0]["channels"]) == len(CHANNELS)


def test_publishing_again_needs_replace(models: Path, runs: Path) -> None:
    assert "--replace it" in refusal("publish", runs / "one", "--models", models)
    before = (models / "larnn-har" / "1" / "model.onnx").read_bytes()
    again = export(
        "publish", runs / "one", "--folds", runs / "folds", "--models", models, "--replace"
    )
    assert again.exit_code == 0, again.output
    assert (models / "larnn-har" / "1" / "model.onnx").read_bytes() == before


def test_publishing_without_evaluation_or_with_other_folds_is_refused(
    runs: Path, data: Path, tmp_path: Path
) -> None:
    other = ["-t", "epochs=1", "-t", "batch_size=18"]
    assert export("train", tmp_path / "run", *SMALL, *other, "--data", data).exit_code == 0
    models = ["--models", str(tmp_path / "models")]
    assert "export evaluate" in refusal("publish", tmp_path / "run", *models)
    assert export("evaluate", tmp_path / "run", "--data", data).exit_code == 0
    text = refusal("publish", tmp_path / "run", "--folds", runs / "folds", *models)
    assert "another training configuration" in text
    assert not (tmp_path / "models" / "larnn-har" / "1").exists()


def test_folds_that_began_with_others_are_not_of_a_run_that_did_not(
    runs: Path, begun: Path, tmp_path: Path
) -> None:
    command = ("publish", runs / "one", "--models", tmp_path / "models", "--folds")
    assert "the run has not" in refusal(*command, begun)
    found = json.loads((runs / "folds" / "folds.json").read_text())
    del found["started_from"]  # as folds.json was written before
    (tmp_path / "folds.json").write_text(json.dumps(found))
    published = export(*command, tmp_path)
    assert published.exit_code == 0, published.output


def test_figures_of_other_weights_are_not_published(runs: Path, tmp_path: Path) -> None:
    run = shutil.copytree(runs / "folds" / "fold-0", tmp_path / "run")
    shutil.copyfile(runs / "one" / "evaluation.json", run / "evaluation.json")
    text = refusal("publish", run, "--models", tmp_path / "models")
    assert "is of other weights" in text


def test_a_graph_alone_is_written_and_verified(runs: Path, models: Path, tmp_path: Path) -> None:
    graph = tmp_path / "model.onnx"
    assert export("onnx", runs / "one", "--output", graph).exit_code == 0
    assert graph.read_bytes() == (models / "larnn-har" / "1" / "model.onnx").read_bytes()
    assert "logits within" in export("verify", runs / "one", graph).output


def test_a_graph_goes_beside_the_checkpoint_it_is_of(
    runs: Path, models: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other" / "3"
    shutil.copytree(models / "larnn-har" / "1", other)
    graphs = [other / "model.onnx", models / "larnn-har" / "1" / "model.onnx"]
    before = graphs[0].read_bytes()
    graphs[0].unlink()
    changed = graphs[1].stat().st_mtime_ns
    assert export("onnx", other / "checkpoint").exit_code == 0
    assert graphs[0].read_bytes() == before
    assert graphs[1].stat().st_mtime_ns == changed
    assert "name an --output" in refusal("onnx", runs / "one")


def test_a_card_is_written_again(models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "larnn-har" / "1", tmp_path / "larnn-har" / "1")
    card = tmp_path / "larnn-har" / "1" / "README.md"
    card.unlink()
    assert export("card", card.parent).exit_code == 0
    assert card.read_bytes() == (models / "larnn-har" / "1" / "README.md").read_bytes()
    assert "No such file" in refusal("card", tmp_path)


def alone(run: Path, data: Path) -> float:
    """The share of raw test windows that are answered right, the filters of each at rest."""
    network = RawClassifier(load_network(run))
    test, places = load_split("test", data), load_places("test", data)
    recordings = {each.experiment: each.signals for each in load_recordings(data)}
    of_each = zip(places.experiments, places.starts, strict=True)
    windows = [recordings[experiment][start : start + 128] for experiment, start in of_each]
    said = network(torch.from_numpy(np.stack(windows)))[0][:, -1].argmax(-1)
    return float((said.numpy() == test.labels).mean())


def test_a_model_of_raw_channels_is_measured_and_published(
    runs: Path, data: Path, tmp_path: Path
) -> None:
    models = tmp_path / "models"
    publish = ("publish", runs / "one", "--raw", "--name", "raw", "--models", models)
    assert "evaluate" in refusal(*publish) and "--raw" in refusal(*publish)
    measured = export("evaluate", runs / "one", "--raw", "--data", data)
    assert measured.exit_code == 0, measured.output
    published = export(*publish)
    assert published.exit_code == 0, published.output
    manifest = json.loads((models / "raw" / "1" / "model.json").read_text())
    assert [channel["unit"] for channel in manifest["contract"]["input"]["channels"]] == (
        ["g"] * 3 + ["rad/s"] * 3
    )
    card = (models / "raw" / "1" / "README.md").read_text()
    assert "describes step t-1" in card
    from_rest = manifest["metrics"]["test"]["from_rest"]
    assert f"begin at rest, is answered right in {from_rest['accuracy']:.2%}" in card
    assert from_rest["accuracy"] == pytest.approx(alone(runs / "one", data))
    assert [*from_rest["since_start"]][0] == "0 to 0.5 s"
    assert "python -m export onnx models/raw/1/checkpoint --raw" in card
    graph = models / "raw" / "1" / "model.onnx"
    assert "state within" in export("verify", runs / "one", graph, "--raw").output
    before = graph.read_bytes()
    graph.unlink()
    assert "another contract" in refusal("onnx", models / "raw" / "1" / "checkpoint")
    assert export("onnx", models / "raw" / "1" / "checkpoint", "--raw").exit_code == 0
    assert graph.read_bytes() == before
