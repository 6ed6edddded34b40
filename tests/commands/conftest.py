"""`python -m export`, and what it makes of made-up people: runs, folds and a published model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from larnn_export.__main__ import app
from tests import made_up_people

SMALL = ["-n", "hidden_size=8", "-n", "heads=2", "-n", "window_size=3", "-n", "layers=1"]
SHORT = ["-t", "epochs=2", "-t", "batch_size=6", "-t", "ema_decay=0.5", "-t", "learning_rate=0.03"]


def export(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refusal(*arguments: str | Path) -> str:
    result = export(*arguments)
    assert result.exit_code == 2, result.output
    return " ".join(result.output.replace("│", " ").split())


@pytest.fixture(scope="package")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_people.write(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="package")
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


@pytest.fixture(scope="package")
def begun(runs: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folds that began with the weights of runs/folds."""
    folds = tmp_path_factory.mktemp("begun") / "begun"
    started: list[str | Path] = ["--data", data, "--start", runs / "folds"]
    result = export("folds", folds, *SMALL, *SHORT, *started)
    assert result.exit_code == 0, result.output
    return folds


@pytest.fixture(scope="package")
def models(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("models")
    published = export("publish", runs / "one", "--folds", runs / "folds", "--models", models)
    assert published.exit_code == 0, published.output
    return models
