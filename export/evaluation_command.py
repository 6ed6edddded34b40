"""`python -m export evaluate`: the test set's figures and pictures of finished runs."""

from __future__ import annotations

from pathlib import Path
from statistics import mean, stdev
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from export.checkpoint import CheckpointError
from export.data import DataError, load
from export.evaluate import evaluate as measure
from export.training_command import DATA_HELP

RUNS = [Path("runs/larnn-har")]


def evaluate(
    runs: Annotated[
        list[Path], typer.Argument(help="finished runs, such as one for each seed")
    ] = RUNS,
    data: Annotated[Path | None, typer.Option(help=DATA_HELP)] = None,
) -> None:
    """Measure finished runs on the test set; writes evaluation.json and a picture into each."""
    from export.pictures import CONFUSION_FILE, draw_confusion_matrix

    table = Table("run", "test accuracy", "windows", "weakest class")
    accuracies = []
    try:
        test = load("test", data)
        for run in runs:
            result = measure(run, test)
            draw_confusion_matrix(result, run / CONFUSION_FILE)
            accuracies.append(result["accuracy"])
            weakest, recall = min(result["per_class"].items(), key=lambda each: each[1] or 0)
            table.add_row(
                run.name,
                f"{result['accuracy']:.2%}",
                f"{result['correct']:,} of {result['windows']:,}",
                f"{weakest} {recall or 0:.1%}",
            )
    except (DataError, CheckpointError) as error:
        raise typer.BadParameter(str(error)) from error
    console = Console()
    console.print(table)
    if len(accuracies) > 1:
        console.print(f"mean {mean(accuracies):.2%} ± {stdev(accuracies):.2%} (sample sd)")
