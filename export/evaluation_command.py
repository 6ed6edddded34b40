"""`python -m export evaluate`: the test set's figures and pictures of a finished run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from export import checkpoint
from export.data.uci_har import DataError, load_split
from export.evaluate import EVALUATION_FILE
from export.evaluate import evaluate as measure


def evaluate(
    run: Annotated[Path, typer.Argument(help="a finished run, such as runs/larnn-har-s0")],
    data: Annotated[Path | None, typer.Option(help="folder that holds uci-har")] = None,
) -> None:
    """Measure a finished run on the test set; writes evaluation.json and pictures into it."""
    from export.pictures import (
        CONFUSION_FILE,
        CURVES_FILE,
        draw_confusion_matrix,
        draw_learning_curves,
    )

    try:
        result = measure(run, load_split("test", data))
    except (DataError, checkpoint.CheckpointError) as error:
        raise typer.BadParameter(str(error)) from error
    _, record = checkpoint.read(run, checkpoint.SELECTED)
    draw_learning_curves(record, run / CURVES_FILE)
    draw_confusion_matrix(result, run / CONFUSION_FILE)
    table = Table("activity", "recall")
    for label, share in result["per_class"].items():
        table.add_row(label, "–" if share is None else f"{share:.2%}")
    console = Console()
    console.print(table)
    console.print(
        f"test accuracy {result['accuracy']:.2%} ({result['correct']:,} of "
        f"{result['windows']:,} windows) → {run / EVALUATION_FILE}"
    )
