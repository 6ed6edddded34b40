"""Training, folds, streams, searches and questions, one command each."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch

from export.checkpoint import load_network
from export.publish import served
from tests.commands.conftest import SHORT, SMALL, export, refusal


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
