"""`python -m export streams`: whole recordings of people that a network was not trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from larnn_export import checkpoint
from larnn_export.carried import Labelled, labelled
from larnn_export.data import DataError
from larnn_export.data.hapt import load_recordings
from larnn_export.folds import read_folds, recipe_of, require_folds_of
from larnn_export.stream_card import seconds
from larnn_export.stream_evaluation import (
    STREAMS_FILE,
    run_streams,
    run_windows,
    summarise,
    together,
)
from larnn_export.stream_metrics import best_temperature
from larnn_export.trained_on import unknown_to


def streams(
    run: Annotated[Path, typer.Argument(help="a finished run")],
    folds: Annotated[
        Path | None,
        typer.Option(
            help="five folds of its recipe, which choose the temperature of its answers; "
            "left out, what was chosen stays"
        ),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="folder that holds hapt")] = None,
) -> None:
    """Measure a run on recordings of people it was not trained on: RUN/streams.json and pictures.

    They are those held out of it, as in a fold, else all whom it was not trained on.
    """
    from larnn_export.stream_pictures import draw_streams

    try:
        recordings = labelled(load_recordings(data))
        _, record = checkpoint.read(run, checkpoint.FINISHED)
        mine = unknown_to(run, record, recordings)
        network = checkpoint.load_network(run)
        calibration = _chosen_by(folds, record, recordings) if folds else _kept(run)
    except (DataError, checkpoint.CheckpointError) as error:
        raise typer.BadParameter(str(error)) from error
    found, windows = run_streams(network, mine), run_windows(network, mine)
    temperature = calibration["temperature"]
    result = summarise(found, windows, temperature) | calibration
    result["tensors_sha256"] = record["tensors_sha256"]
    (run / STREAMS_FILE).write_text(json.dumps(result, indent=1) + "\n")
    draw_streams(run, found, windows, temperature)
    Console().print(
        f"{len(mine)} recordings: {result['accuracy']:.2%} of the steps "
        f"(windows of 128 steps: {result['windowed_accuracy']:.2%}), macro F1 "
        f"{result['macro_f1']:.3f}, median delay {seconds(result['delay']['median_seconds'])}"
    )


def _kept(run: Path) -> dict[str, Any]:
    """What chose the temperature before, for the same weights."""
    before = checkpoint.figures(run, STREAMS_FILE) or {}
    return {name: before.get(name) for name in ("temperature", "folds_sha256")}


def _chosen_by(folds: Path, record: dict[str, Any], recordings: list[Labelled]) -> dict[str, Any]:
    """Of every training subject's streams, by the network that did not know this person.

    Raises CheckpointError where the folds are of another recipe than the run's.
    """
    records = read_folds(folds)
    require_folds_of(folds, recipe_of(records), record)
    found = []
    for index, fold in enumerate(records):
        network = checkpoint.load_network(folds / f"fold-{index}")
        people = fold["training"]["held_out"]
        found += run_streams(network, [r for r in recordings if r.subject in people])
    return {
        "temperature": best_temperature(*together(found)),
        "folds_sha256": [fold["tensors_sha256"] for fold in records],
    }
