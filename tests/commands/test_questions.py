"""`questions`: variants on the same people, all by one recipe."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests import own_data
from tests.commands.conftest import export, refusal

PEOPLE = ("ann", "bob", "cid", "dan", "fay", "eve")
ONE_EPOCH = ["-t", "epochs=1", "-t", "batch_size=6"]


def of(data: Path) -> list[str | Path]:
    return ["--data", data]


def test_questions_compare_variants_on_the_same_people(data: Path, tmp_path: Path) -> None:
    command: list[str | Path] = ["questions", tmp_path, "--only", "larnn", "--only", "k1"]
    command += [*ONE_EPOCH, *of(data), "--folds", "2"]
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


@pytest.fixture(scope="module")
def asked(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published network on two folds."""
    asked = tmp_path_factory.mktemp("asked")
    result = export("questions", asked, *ONE_EPOCH, "--only", "larnn", "--folds", "2", *of(data))
    assert result.exit_code == 0, result.output
    return asked


def test_runs_of_another_recipe_are_not_compared(asked: Path, data: Path) -> None:
    other = ["-t", "epochs=2", "-t", "batch_size=6", "-t", "clip_norm=0.5"]
    for only in ("k1", "none"):
        text = refusal("questions", asked, *other, "--only", only, "--folds", "1", *of(data))
        assert "larnn/fold-0 has another training configuration" in text
        assert "epochs=1, not 2; clip_norm=0.25, not 0.5" in text
    assert not (asked / "k1").exists()


def test_folds_limit_what_is_read(asked: Path, data: Path, tmp_path: Path) -> None:
    command = ["questions", str(asked), *ONE_EPOCH, "--only", "none", "--folds"]
    for folds in (1, 2):
        output = tmp_path / "figures.json"
        assert export(*command, str(folds), *of(data), "--output", output).exit_code == 0
        [row] = json.loads(output.read_text())["rows"]
        assert len(row["folds"]) == folds


def test_a_run_that_began_with_another_is_not_compared(
    asked: Path, data: Path, tmp_path: Path
) -> None:
    runs = shutil.copytree(asked, tmp_path / "asked")
    file = runs / "larnn" / "fold-0" / "checkpoint.json"
    record = json.loads(file.read_text())
    file.write_text(json.dumps({**record, "started_from": "0" * 64}))
    text = refusal("questions", runs, *ONE_EPOCH, "--only", "none", *of(data))
    assert "began with the weights 000000000000" in text


@pytest.mark.parametrize("digest", [None, "0" * 64])
def test_figures_of_other_weights_are_measured_anew(
    digest: str | None, asked: Path, data: Path, tmp_path: Path
) -> None:
    runs = shutil.copytree(asked, tmp_path / "asked")
    file = runs / "larnn" / "fold-0" / "held-out.json"
    measured = file.read_text()
    changed = {**json.loads(measured), "accuracy": 2.0}
    file.write_text(json.dumps(changed))
    command = ["questions", str(runs), *ONE_EPOCH, "--only", "none"]
    assert export(*command, *of(data)).exit_code == 0
    assert json.loads(file.read_text()) == changed  # of these weights: not measured again
    stale = {key: value for key, value in changed.items() if key != "tensors_sha256"}
    file.write_text(json.dumps(stale | ({"tensors_sha256": digest} if digest else {})))
    assert export(*command, *of(data)).exit_code == 0
    assert file.read_text() == measured


def test_own_data_has_its_own_channels(tmp_path: Path) -> None:
    gestures = own_data.write(tmp_path / "gestures", takes=1, people=PEOPLE)
    command = ["questions", str(tmp_path / "runs"), *ONE_EPOCH, "--only", "larnn", "--folds", "2"]
    answered = export(*command, *of(gestures), "--output", tmp_path / "figures.json")
    assert answered.exit_code == 0, answered.output
    [row] = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert [*row["folds"]] == ["0", "1"]
    few = own_data.write(tmp_path / "few", takes=1)
    assert "5 folds need 5 people; 3 are there" in refusal(*command, *of(few))
