"""`python -m export evaluate | compare`: the test set's figures and pictures of finished runs."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from larnn_export.checkpoint import CheckpointError
from larnn_export.data import DataError, Split, load
from larnn_export.data.hapt import (
    Places,
    Recording,
    load_places,
    load_recordings,
    windows_from_recordings,
)
from larnn_export.evaluate import EVALUATION_FILE, RAW_EVALUATION_FILE
from larnn_export.evaluate import evaluate as measure
from larnn_export.from_rest import from_rest
from larnn_export.networks import RecurrentClassifier
from larnn_export.paired import paired
from larnn_export.training_command import DATA_HELP

RUNS = [Path("runs/larnn-har")]


def evaluate(
    runs: Annotated[
        list[Path], typer.Argument(help="finished runs, such as one for each seed")
    ] = RUNS,
    data: Annotated[Path | None, typer.Option(help=DATA_HELP)] = None,
    raw: Annotated[bool, typer.Option(help="cut the windows from HAPT's raw recordings")] = False,
) -> None:
    """Measure finished runs on the test set; writes evaluation.json and a picture into each.

    With --raw the windows come through the phone's filters: evaluation-raw.json, which also says
    how single raw windows are answered, whose filters begin at rest.
    """
    from larnn_export.pictures import CONFUSION_FILE, draw_confusion_matrix

    table = Table("run", "test accuracy", "windows", "weakest class")
    accuracies = []
    try:
        test = load("test", data)
        file, more = EVALUATION_FILE, _nothing
        if raw:
            places, recordings = load_places("test", data), load_recordings(data)
            file, more = RAW_EVALUATION_FILE, partial(_from_rest, test, places, recordings)
            test = windows_from_recordings(test, places, recordings)
        for run in runs:
            result = measure(run, test, file, more)
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


def _nothing(_: RecurrentClassifier) -> dict[str, Any]:
    return {}


def _from_rest(
    test: Split, places: Places, recordings: list[Recording], network: RecurrentClassifier
) -> dict[str, Any]:
    return {"from_rest": from_rest(network, test, places, recordings)}


def compare(
    runs: Annotated[list[Path], typer.Argument(help="evaluated runs, one for each seed")],
    against: Annotated[list[Path], typer.Option(help="those of another network, same seeds")],
    output: Annotated[Path | None, typer.Option(help="write the figures as JSON")] = None,
) -> None:
    """How much better the runs are than others, paired by seed and by person."""
    try:
        result = paired(runs, against)
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    table = Table("difference", "mean", "95% interval", "pairs")
    for name in ("over_seeds", "over_people"):
        each = result[name]
        interval = f"{each['low']:+.2%} to {each['high']:+.2%}"
        table.add_row(
            name.replace("_", " "), f"{each['mean']:+.2%}", interval, str(len(each["each"]))
        )
    Console().print(table)
    if output is not None:
        output.write_text(json.dumps(result, indent=1) + "\n")
