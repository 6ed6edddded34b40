"""`python -m export questions`: trains the variants on the folds and writes what they give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from export.checkpoint import CheckpointError
from export.data import DataError, load
from export.folds import fold_runs
from export.memory import keep_freed_memory
from export.questions import VARIANTS, answers, finished
from export.recipe import FOLDS, TrainConfig
from export.train import Trainer
from export.training_command import DATA_HELP, configured, train_to_end

RUNS = Path("runs/questions")


def questions(
    runs: Annotated[Path, typer.Argument(help="where VARIANT/fold-N go")] = RUNS,
    only: Annotated[
        list[str] | None, typer.Option(help=f"train these alone: {', '.join(VARIANTS)}; or none")
    ] = None,
    folds: Annotated[int, typer.Option(help="the first so many", min=1, max=FOLDS)] = FOLDS,
    training: Annotated[
        list[str] | None, typer.Option("--training", "-t", help="a training field, name=value")
    ] = None,
    data: Annotated[Path | None, typer.Option(help=DATA_HELP)] = None,
    output: Annotated[Path | None, typer.Option(help="write the figures as JSON")] = None,
) -> None:
    """What each part of the LARNN is worth, on held-out people. Goes on if asked again."""
    keep_freed_memory()
    wanted = [*VARIANTS] if only is None else [name for name in only if name != "none"]
    if unknown := set(wanted) - VARIANTS.keys():
        raise typer.BadParameter(f"no variant {', '.join(sorted(unknown))}", param_hint="--only")
    try:
        train = load("train", data)
        recipe = configured(TrainConfig(), training or [])
        for fold in range(folds):
            for name in wanted:
                run, held_out = fold_runs(runs / name, train)[fold]
                config = recipe.model_copy(update={"seed": fold, "held_out": held_out})
                trainer = Trainer(VARIANTS[name].config(), config, train, run)
                if not finished(trainer):
                    train_to_end(trainer, resume=True)
        rows = answers(runs, train)
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
