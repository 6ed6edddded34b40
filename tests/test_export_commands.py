"""Every command of `python -m export`, one after the other, on made-up people."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from export.__main__ import app
from export.checkpoint import load_network
from export.data.uci_har import CHANNELS, load_split
from export.publish import served
from tests import live, made_up_people

SMALL = ["-n", "hidden_size=8", "-n", "heads=2", "-n", "window_size=3", "-n", "layers=1"]
SHORT = ["-t", "epochs=2", "-t", "batch_size=6", "-t", "ema_decay=0.5", "-t", "learning_rate=0.03"]


def export(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refusal(*arguments: str | Path) -> str:
    result = export(*arguments)
    assert result.exit_code == 2, result.output
    return " ".join(result.output.replace("│", " ").split())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_people.write(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained, evaluated and cross-validated: runs/one and runs/folds."""
    runs = tmp_path_factory.mktemp("runs")
    commands: Iterable[list[str | Path]] = (
        ["train", runs / "one", *SMALL, *SHORT, "--data", data],
        ["folds", runs / "folds", *SMALL, *SHORT, "--data", data],
        ["evaluate", runs / "one", "--data", data],
    )
    for command in commands:
        result = export(*command)
        assert result.exit_code == 0, result.output
    return runs


@pytest.fixture(scope="module")
def models(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("models")
    published = export("publish", runs / "one", "--folds", runs / "folds", "--models", models)
    assert published.exit_code == 0, published.output
    return models


def test_questions_compare_variants_on_the_same_people(data: Path, tmp_path: Path) -> None:
    small: list[str | Path] = ["-t", "epochs=1", "-t", "batch_size=6", "--data", data]
    command: list[str | Path] = ["questions", tmp_path, "--only", "larnn", "--only", "k1", *small]
    command += ["--folds", "2"]
    asked = export(*command, "--output", tmp_path / "first.json")
    assert asked.exit_code == 0, asked.output
    published, k1 = json.loads((tmp_path / "first.json").read_text())["rows"]
    assert [published["variant"], k1["variant"]] == ["larnn", "k1"]
    assert k1["mean"] == pytest.approx(sum(k1["folds"].values()) / 2)
    gained = [k1["folds"][fold] - published["folds"][fold] for fold in ("0", "1")]
    assert k1["over_folds"]["mean"] == pytest.approx(sum(gained) / 2)
    assert k1["over_people"]["low"] <= k1["over_people"]["mean"] <= k1["over_people"]["high"]
    last = (tmp_path / "k1" / "fold-1" / "last.json").stat().st_mtime_ns
    assert export(*command, "--output", tmp_path / "again.json").exit_code == 0
    assert (tmp_path / "again.json").read_text() == (tmp_path / "first.json").read_text()
    assert (tmp_path / "k1" / "fold-1" / "last.json").stat().st_mtime_ns == last
    assert "has another training" in refusal(*command, "-t", "seed=7", "-t", "clip_norm=0.5")
    assert "no variant k3" in refusal("questions", tmp_path, "--only", "k3", "--data", data)


def test_folds_measure_each_person_once(runs: Path) -> None:
    result = json.loads((runs / "folds" / "folds.json").read_text())
    people = [person for fold in result["folds"] for person in fold["held_out"]]
    assert sorted(people) == [1, 2, 3, 4, 5, 6]
    assert sum(fold["windows"] for fold in result["folds"]) == 36
    assert all(0 <= fold["accuracy"] <= 1 for fold in result["folds"])
    assert (runs / "folds" / "learning-curves.png").stat().st_size > 1000


def test_folds_begin_with_folds_of_the_same_people(runs: Path, data: Path, tmp_path: Path) -> None:
    command: list[str | Path] = ["folds", tmp_path, *SMALL, *SHORT, "--data", data, "--start"]
    begun = export(*command, runs / "folds")
    assert begun.exit_code == 0, begun.output
    for index in range(5):
        first, second = (
            json.loads((folder / f"fold-{index}" / "checkpoint.json").read_text())
            for folder in (runs / "folds", tmp_path)
        )
        assert second["started_from"] == first["tensors_sha256"]
    (tmp_path / "known").mkdir()
    (tmp_path / "known" / "fold-0").symlink_to(runs / "one")
    command[1] = tmp_path / "refused"
    assert "trained on people held out here" in refusal(*command, tmp_path / "known")


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
    names = np.array(manifest["contract"]["labels"])[test.labels]
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
    assert [channel["unit"] for channel in manifest["contract"]["channels"]] == (
        ["g"] * 3 + ["rad/s"] * 3
    )
    card = (models / "raw" / "1" / "README.md").read_text()
    assert "describes step t-1" in card
    assert "python -m export onnx models/raw/1/checkpoint --raw" in card
    graph = models / "raw" / "1" / "model.onnx"
    assert "state within" in export("verify", runs / "one", graph, "--raw").output
    before = graph.read_bytes()
    graph.unlink()
    assert "another contract" in refusal("onnx", models / "raw" / "1" / "checkpoint")
    assert export("onnx", models / "raw" / "1" / "checkpoint", "--raw").exit_code == 0
    assert graph.read_bytes() == before


def test_streams_are_trained_on_and_measured(runs: Path, data: Path, tmp_path: Path) -> None:
    live: list[str | Path] = [
        *SMALL,
        *SHORT,
        "-t",
        "streams=2",
        "--start",
        runs / "one",
        "--data",
        data,
    ]
    trained = export("train", tmp_path / "live", *live)
    assert trained.exit_code == 0, trained.output
    measured = export("streams", tmp_path / "live", "--folds", runs / "folds", "--data", data)
    assert measured.exit_code == 0, measured.output
    result = json.loads((tmp_path / "live" / "streams.json").read_text())
    assert result["recordings"] == 4  # people 2, 4, 9 and 10
    assert result["steps"] == 4 * 6 * 150
    assert 0.25 <= result["temperature"] <= 8
    assert 0 <= result["calibration_error"]["with_temperature"] <= 1
    assert export("evaluate", tmp_path / "live", "--data", data).exit_code == 0
    published = export("publish", tmp_path / "live", "--models", tmp_path / "models")
    assert published.exit_code == 0, published.output
    plain, calibrated = load_network(tmp_path / "live"), served(tmp_path / "live").network
    x = torch.randn(2, 5, 9)
    logits = calibrated(x)[0] * result["temperature"]
    torch.testing.assert_close(logits, plain(x)[0])
    card = tmp_path / "models" / "larnn-har" / "1" / "README.md"
    assert f"| steps answered right | {result['accuracy']:.2%} |" in card.read_text()
    assert (card.parent / "checkpoint" / "streams.png").stat().st_size > 1000
    assert "holds no folds" in refusal("streams", runs / "one", "--folds", tmp_path, "--data", data)


def test_a_fold_is_measured_on_the_streams_of_those_held_out(runs: Path, data: Path) -> None:
    assert export("streams", runs / "folds" / "fold-0", "--data", data).exit_code == 0
    result = json.loads((runs / "folds" / "fold-0" / "streams.json").read_text())
    assert list(result["per_subject"]) == ["1", "6"]
    assert result["temperature"] is None
    assert result["calibration_error"]["with_temperature"] is None


def test_the_table_keeps_figures_and_commands(runs: Path, tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    for _ in range(2):
        assert export("table", runs / "folds", runs / "one", "--output", table).exit_code == 0
    with table.open(newline="") as file:
        folds, one = csv.DictReader(file)
    assert (folds["run"], one["run"]) == ("folds", "one")
    assert folds["folds"].endswith("%") and len(folds["each_fold"].split()) == 5
    assert one["command"].startswith("python -m export train runs/one --preset")
    for words in ("--preset larnn", "-t epochs=2", "-n hidden_size=8", "-t ema_decay=0.5"):
        assert words in folds["command"] and words in one["command"]
    assert "not a finished" in refusal("table", tmp_path, "--output", table)


def test_a_search_goes_on_where_it_stopped(data: Path, tmp_path: Path) -> None:
    small = ["-n", "hidden_size=4", "-t", "epochs=1", "-t", "batch_size=6"]
    for trials in (1, 2):
        found = export("search", tmp_path, "--trials", "1", *small, "--data", data)
        assert found.exit_code == 0, found.output
        assert f"best of {trials} trials" in found.output


def test_runs_are_gathered_for_the_table(runs: Path, tmp_path: Path) -> None:
    assert export("gather", runs / "one", "--output", tmp_path / "har.json").exit_code == 0
    [result] = json.loads((tmp_path / "har.json").read_text())
    evaluation = json.loads((runs / "one" / "evaluation.json").read_text())
    assert (result["run"], result["family"], result["seed"]) == ("one", "larnn", 0)
    assert result["accuracy"] == evaluation["accuracy"]
    assert "not a finished training run" in refusal("gather", tmp_path)


def test_several_runs_give_mean_and_spread(runs: Path, data: Path) -> None:
    result = export("evaluate", runs / "one", runs / "one", "--data", data)
    assert "± 0.00%" in result.output


def test_a_finished_run_is_not_overwritten(runs: Path, data: Path) -> None:
    before = (runs / "one" / "checkpoint.safetensors").read_bytes()
    assert "--resume" in refusal("train", runs / "one", *SMALL, *SHORT, "--data", data)
    resumed = export("train", runs / "one", *SMALL, *SHORT, "--data", data, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert (runs / "one" / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "elman"], "preset 'elman' is not one of larnn, lstm"),
        (["-n", "hidden_size=7"], "must be a multiple of heads"),
        (["-n", "hiden_size=8"], "expected name=value"),
        (["-t", "epochs=0"], "greater than or equal to 1"),
        (["-n", "channels=3"], "the data has 9 channels, not 3"),
        (["-t", "held_out=[99]"], "have no window in the data"),
    ],
)
def test_bad_arguments_say_what_to_do(
    arguments: list[str], message: str, data: Path, tmp_path: Path
) -> None:
    assert message in refusal("train", tmp_path / "run", *arguments, "--data", data)


def test_missing_data_says_where_to_get_it(tmp_path: Path) -> None:
    text = refusal("train", tmp_path / "run", "--data", tmp_path)
    assert "UCI Machine Learning Repository" in text
    assert "LARNN_DATA" in text


def test_missing_and_damaged_runs_are_named(runs: Path, data: Path, tmp_path: Path) -> None:
    assert "not a finished training run" in refusal("evaluate", tmp_path, "--data", data)
    for file in ("checkpoint.json", "checkpoint.safetensors"):
        (tmp_path / file).write_bytes((runs / "one" / file).read_bytes())
    weights = tmp_path / "checkpoint.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    assert "is damaged" in refusal("onnx", tmp_path, "--output", tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()
