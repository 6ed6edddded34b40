"""`python -m export streams`: whole recordings of people that a network was not trained on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from export import checkpoint
from export.carried import Labelled, labelled
from export.data import DataError
from export.data.hapt import TEST_SUBJECTS, load_recordings
from export.stream_card import seconds
from export.stream_evaluation import STREAMS_FILE, run_streams, run_windows, summarise, together
from export.stream_metrics import Stream, best_temperature


def streams(
    run: Annotated[Path, typer.Argument(help="a finished run")],
    folds: Annotated[
        Path | None, typer.Option(help="the folds that choose the temperature of its answers")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="folder that holds hapt")] = None,
) -> None:
    """Measure a run on the test subjects' recordings: RUN/streams.json and pictures.

    A run with people held out is measured on these instead, as a fold should be.
    """
    from export.stream_pictures import draw_streams

    try:
        recordings = labelled(load_recordings(data))
        held_out = _held_out(run)
        mine = [r for r in recordings if r.subject in (held_out or TEST_SUBJECTS)]
        temperature = None if folds is None else best_temperature(*together(_of(folds, recordings)))
        network = checkpoint.load_network(run)
    except (DataError, checkpoint.CheckpointError) as error:
        raise typer.BadParameter(str(error)) from error
    found, windows = run_streams(network, mine), run_windows(network, mine)
    result = summarise(found, windows, temperature)
    (run / STREAMS_FILE).write_text(json.dumps(result, indent=1) + "\n")
    draw_streams(run, found, windows, temperature)
    Console().print(
        f"{len(mine)} recordings: {result['accuracy']:.2%} of the steps "
        f"(windows of 128 steps: {result['windowed_accuracy']:.2%}), macro F1 "
        f"{result['macro_f1']:.3f}, median delay {seconds(result['delay']['median_seconds'])}"
    )


def _held_out(run: Path) -> list[int]:
    _, record = checkpoint.read(run, checkpoint.FINISHED)
    people: list[int] = record["training"]["held_out"]
    return people


def _of(folds: Path, recordings: list[Labelled]) -> list[Stream]:
    """Every training subject's streams, by the network that did not know this person."""
    found = []
    for run in sorted(folds.glob("fold-*")):
        people = _held_out(run)
        network = checkpoint.load_network(run)
        found += run_streams(network, [r for r in recordings if r.subject in people])
    if not found:
        raise checkpoint.CheckpointError(f"{folds} holds no folds: python -m export folds {folds}")
    return found
