"""docs/own-data.md: from a folder of tables to a served model, by its blocks alone."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import polars as pl
import pytest

from larnn_export.data.description import Description, Window
from larnn_export.data.tables import Table
from tests import live, own_data
from tests.cli.command import Done, Larnn
from tests.docs import page

BLOCKS = page.blocks(own_data.PAGE)
MAKE, SERVE, ASK = (
    [shlex.split(line)[1:] for line in block.text.splitlines()]
    for block in BLOCKS
    if block.language == "sh"
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the gestures, to work in."""
    own_data.write(tmp_path / "gestures")
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def _done(larnn: Larnn, command: list[str]) -> Done:
    done = larnn(*command)
    assert done.code == 0, (command, done.err)
    return done


def test_tables_become_a_served_model(larnn: Larnn, place: Path) -> None:
    for command in MAKE:
        _done(larnn, command)
    assert SERVE == [["serve", "--model", "gestures"]]
    with live.running(models=place / "models", model="gestures") as url:
        [model] = httpx.get(f"{url}/models").json()["models"]
        folder, file, stream = (_done(larnn, [*command, "--url", url]) for command in ASK)
    assert model["labels"] == ["wave", "push"]
    assert model["channels"][1] == {"name": "shove", "unit": "g"}
    assert model["description"] == "LARNN for two gestures of a wrist"
    assert "are what the data says" in folder.out
    answers = pl.read_parquet("answers.parquet")
    right = (answers["label"] == answers["expected"]).mean()
    assert isinstance(right, float) and right > 0.9
    # six takes of 70 rows: six windows each
    assert len(json.loads(file.out)) == 36
    assert stream.err == "ended at 420\n"
    assert "Made up for an example." in (place / "models/gestures/1/README.md").read_text()


def test_a_run_is_not_measured_on_other_data(larnn: Larnn, place: Path) -> None:
    small = ["-n", "hidden_size=8", "-n", "layers=1", "-t", "epochs=1"]
    _done(larnn, ["train", "run", "--data", "gestures", *small])
    description = place / "gestures" / "dataset.toml"
    description.write_text(description.read_text().replace('["wave", "push"]', '["push", "wave"]'))
    done = larnn("evaluate", "run", "--data", "gestures")
    assert done.code == 2
    assert "its labels differ" in " ".join(done.err.replace("│", " ").split())


def test_rotation_needs_triplets(larnn: Larnn, place: Path) -> None:
    done = larnn("train", "run", "--data", "gestures", "-t", "rotation_degrees=5")
    assert done.code == 2
    assert "channels in triplets" in " ".join(done.err.replace("│", " ").split())


def test_the_rows_shown_are_such_a_table(tmp_path: Path) -> None:
    [rows] = [block.text for block in BLOCKS if block.language == "csv"]
    (tmp_path / "ann.csv").write_text(rows + "\n")
    own_data.write(tmp_path / "made")
    shown, made = Table(tmp_path / "ann.csv"), Table(tmp_path / "made" / "ann.csv")
    assert set(shown.columns) == set(made.columns)
    assert shown.numbers(["turn", "acc"]).shape == (3, 2)


def test_every_field_is_told() -> None:
    fields = [*Description.model_fields, *(f"window.{name}" for name in Window.model_fields)]
    for name in fields:
        assert f"`{name}`" in own_data.PAGE or name == "window", name


def test_samples_that_come_when_they_come_are_resampled() -> None:
    [program] = [block.text for block in BLOCKS if block.language == "python"]
    exec(compile(program, "own-data.md", "exec"), {})
