"""`python -m export robustness`: a published network on numbers that are not as it was taught."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from larnn_export import checkpoint
from larnn_export.data import DataError
from larnn_export.data.hapt import load_recordings
from larnn_export.model_card import write_card
from larnn_export.placing import CHECKPOINT_FOLDER
from larnn_export.robustness import ROBUSTNESS_FILE, measure
from larnn_export.robustness_card import table
from larnn_export.trained_on import unknown_to

MODEL = Path("models/larnn-har-raw/2")


def robustness(
    version: Annotated[Path, typer.Argument(help="of a network of six raw channels")] = MODEL,
    data: Annotated[Path | None, typer.Option(help="folder that holds hapt")] = None,
    recordings: Annotated[int | None, typer.Option(min=1, help="so many; all if left out")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="the first of each recording")] = None,
    output: Annotated[Path | None, typer.Option(help="instead of the version's folder")] = None,
) -> None:
    """Measure streams of people it was not trained on: as recorded, turned, in other units, noisy.

    Writes robustness.json and a picture into the version's checkpoint folder, and its card anew;
    with --output they go there, and the card stays: so a part of the recordings is measured.
    """
    from larnn_export.robustness_picture import draw_robustness

    if (recordings or steps) and output is None:
        raise typer.BadParameter("a part is not the version's figure: add --output FOLDER")
    kept = version / CHECKPOINT_FOLDER
    try:
        _, run = checkpoint.read(kept, checkpoint.FINISHED)
        mine = unknown_to(kept, run, load_recordings(data))[:recordings]
        cut = [replace(r, signals=r.signals[:steps], labels=r.labels[:steps]) for r in mine]
        rows = measure(version, cut)
    except (DataError, OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    folder = output or kept
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "recordings": len(cut),
        "people": len({r.subject for r in cut}),
        "steps": sum(len(r.labels) for r in cut),
        "tensors_sha256": run["tensors_sha256"],
        "rows": rows,
    }
    (folder / ROBUSTNESS_FILE).write_text(
        json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    draw_robustness(folder, rows)
    if output is None:
        write_card(version, version.parent.parent)
    Console().print(table(rows), soft_wrap=True, markup=False)
