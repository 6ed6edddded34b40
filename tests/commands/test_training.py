"""Training, folds, the table and searches."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

from tests.commands.conftest import SHORT, SMALL, export, refusal


def test_folds_measure_each_person_once(runs: Path) -> None:
    result = json.loads((runs / "folds" / "folds.json").read_text())
    people = [person for fold in result["folds"] for person in fold["held_out"]]
    assert sorted(people) == [1, 2, 3, 4, 5, 6]
    assert sum(fold["windows"] for fold in result["folds"]) == 36
    assert all(0 <= fold["accuracy"] <= 1 for fold in result["folds"])
    assert (runs / "folds" / "learning-curves.png").stat().st_size > 1000


def test_folds_begin_with_folds_of_the_same_people(
    runs: Path, begun: Path, data: Path, tmp_path: Path
) -> None:
    first = _digests(runs / "folds", "tensors_sha256")
    assert _digests(begun, "started_from") == first
    assert json.loads((begun / "folds.json").read_text())["started_from"] == first
    assert json.loads((runs / "folds" / "folds.json").read_text())["started_from"] == [None] * 5
    (tmp_path / "known").mkdir()
    (tmp_path / "known" / "fold-0").symlink_to(runs / "one")
    text = refusal(*_folds(tmp_path / "refused", data), "--start", tmp_path / "known")
    assert "trained on people held out here" in text


def test_folds_go_on_with_the_start_that_they_had(
    runs: Path, begun: Path, data: Path, tmp_path: Path
) -> None:
    folds = shutil.copytree(begun, tmp_path / "folds")
    shutil.rmtree(folds / "fold-3")
    command = [*_folds(folds, data), "--resume"]
    assert "began with the weights" in refusal(*command)
    assert not (folds / "fold-3").exists()
    gone_on = export(*command, "--start", runs / "folds")
    assert gone_on.exit_code == 0, gone_on.output
    assert _digests(folds, "tensors_sha256") == _digests(begun, "tensors_sha256")


def _folds(folder: Path, data: Path) -> list[str | Path]:
    return ["folds", folder, *SMALL, *SHORT, "--data", data]


def _digests(folds: Path, name: str) -> list[str]:
    files = (folds / f"fold-{index}" / "checkpoint.json" for index in range(5))
    return [json.loads(file.read_text())[name] for file in files]


def test_the_table_keeps_figures_and_commands(runs: Path, begun: Path, tmp_path: Path) -> None:
    table = tmp_path / "runs.csv"
    for _ in range(2):
        command = ("table", runs / "folds", runs / "one", begun, "--output", table)
        assert export(*command).exit_code == 0
    with table.open(newline="") as file:
        started, folds, one = csv.DictReader(file)
    assert (started["run"], folds["run"], one["run"]) == ("begun", "folds", "one")
    assert "--start" not in folds["command"] + one["command"]
    each = [digest[:12] for digest in _digests(begun, "started_from")]
    assert started["command"].endswith(
        f"--start RUNS  # whose folds' tensors_sha256 are {', '.join(each)}"
    )
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
