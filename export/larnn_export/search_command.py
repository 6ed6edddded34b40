"""`python -m export search | table`: look for a recipe, and keep what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from larnn_export.checkpoint import CheckpointError
from larnn_export.data import DataError, load
from larnn_export.memory import keep_freed_memory
from larnn_export.runs_table import write_table
from larnn_export.training_command import (
    Data,
    NetworkFields,
    Preset,
    TrainingFields,
    configs,
    recordings_for,
)

TABLE = Path("docs/runs.csv")


def search(
    runs: Annotated[Path, typer.Argument(help="where the study goes")] = Path("runs/search"),
    trials: Annotated[int, typer.Option(min=1, help="how many more to make")] = 20,
    preset: Preset = "lstm",
    network: NetworkFields = None,
    training: TrainingFields = None,
    data: Data = None,
) -> None:
    """Search the recipe with Optuna on the folds; called again, it goes on."""
    try:
        from larnn_export.search import objective, open_study
    except ImportError as error:
        raise typer.BadParameter("the search needs Optuna: pip install optuna") from error
    keep_freed_memory()
    try:
        train = load("train", data)
        shape, recipe = configs(preset, network, training, train)
        recordings = recordings_for(recipe, train, data)
    except (ValueError, DataError) as error:
        raise typer.BadParameter(str(error)) from error
    study = open_study(runs)
    study.optimize(objective(shape, recipe, train, recordings, runs), n_trials=trials)
    best = study.best_trial
    Console().print(f"best of {len(study.trials)} trials: {best.value:.2%} {best.params}")


def table(
    runs: Annotated[list[Path], typer.Argument(help="finished runs, or folders of folds")],
    output: Annotated[Path, typer.Option(help="the table to write into")] = TABLE,
) -> None:
    """Write runs into the table: figures, and the command that does each again."""
    try:
        write_table(runs, output)
    except CheckpointError as error:
        raise typer.BadParameter(str(error)) from error
    Console().print(f"{len(runs)} rows → {output}")
