"""`python -m export questions`: trains the variants on the folds and writes what they give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from larnn_export.checkpoint import CheckpointError
from larnn_export.data import DataError, Split, load
from larnn_export.folds import fold_runs
from larnn_export.memory import keep_freed_memory
from larnn_export.questions import VARIANTS, Asked, answers
from larnn_export.recipe import FOLDS
from larnn_export.train import Trainer
from larnn_export.training_command import DATA_HELP, configs, recordings_for, train_to_end

RUNS = Path("runs/questions")


def questions(
    runs: Annotated[Path, typer.Argument(help="where VARIANT/fold-N go")] = RUNS,
    only: Annotated[
        list[str] | None, typer.Option(help=f"train these alone: {', '.join(VARIANTS)}; or none")
    ] = None,
    folds: Annotated[
        int, typer.Option(help="train and compare the first so many", min=1, max=FOLDS)
    ] = FOLDS,
    training: Annotated[
        list[str] | None, typer.Option("--training", "-t", help="a training field, name=value")
    ] = None,
    data: Annotated[Path | None, typer.Option(help=DATA_HELP)] = None,
    output: Annotated[Path | None, typer.Option(help="write the figures as JSON")] = None,
) -> None:
    """What each part of the LARNN is worth, on held-out people. Goes on if asked again.

    All runs that are compared are of one recipe: a folder holds those of one alone.
    """
    keep_freed_memory()
    wanted = [*VARIANTS] if only is None else [name for name in only if name != "none"]
    if unknown := set(wanted) - VARIANTS.keys():
        raise typer.BadParameter(f"no variant {', '.join(sorted(unknown))}", param_hint="--only")
    try:
        train = load("train", data)
        asked = {name: _runs_of(name, runs, training, train)[:folds] for name in VARIANTS}
        finished = {each.run for of_one in asked.values() for each in of_one if each.finished()}
        for each in (asked[name][fold] for fold in range(folds) for name in wanted):
            if each.run not in finished:
                recordings = recordings_for(each.training, train, data)
                trainer = Trainer(each.network, each.training, train, each.run, recordings)
                train_to_end(trainer, resume=True)
        rows = answers(asked, train)
    except (ValueError, DataError, CheckpointError) as error:
        raise typer.BadParameter(str(error)) from error
    table = Table("variant", "held-out people", "less the published, over people", "folds")
    for row in rows:
        mean = f"{row['mean']:.2%} ± {row['sd']:.2%}" if "mean" in row else "–"
        difference = row.get("over_people")
        shown = (
            "{mean:+.2%} ({low:+.2%} to {high:+.2%})".format(**difference) if difference else "–"
        )
        table.add_row(row["what"], mean, shown, str(len(row["folds"])))
    Console().print(table)
    if output is not None:
        output.write_text(json.dumps({"command": "questions", "rows": rows}, indent=1) + "\n")


def _runs_of(name: str, runs: Path, training: list[str] | None, train: Split) -> list[Asked]:
    """A variant's, a fold each; the fold's number is the seed."""
    variant = VARIANTS[name]
    network, recipe = configs(variant.preset, [*variant.changes], training, train)
    return [
        Asked(run, network, recipe.model_copy(update={"seed": fold, "held_out": people}))
        for fold, (run, people) in enumerate(fold_runs(runs / name, train))
    ]
