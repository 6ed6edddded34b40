"""`python -m export train`: configuration from the command line, progress on the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from export.checkpoint import LAST, CheckpointError
from export.data.uci_har import CHANNELS, LABELS, DataError, load_split
from export.memory import keep_freed_memory
from export.recipe import NETWORKS, TrainConfig
from export.train import Trainer

Model = TypeVar("Model", bound=BaseModel)


def train(
    run: Annotated[Path, typer.Argument(help="where checkpoints go, such as runs/larnn-har-s0")],
    preset: Annotated[str, typer.Option(help=f"one of: {', '.join(NETWORKS)}")] = "larnn",
    network: Annotated[
        list[str] | None, typer.Option("--network", "-n", help="a network field, name=value")
    ] = None,
    training: Annotated[
        list[str] | None, typer.Option("--training", "-t", help="a training field, name=value")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="folder that holds uci-har")] = None,
    resume: Annotated[bool, typer.Option(help="go on where this run stopped")] = False,
) -> None:
    """Train on UCI HAR, choosing the epoch on held-out training subjects."""
    keep_freed_memory()
    try:
        if preset not in NETWORKS:
            raise ValueError(f"preset {preset!r} is not one of {', '.join(NETWORKS)}")
        if not resume and (run / f"{LAST}.json").exists():
            raise ValueError(f"{run} holds a run already: add --resume, or name another folder")
        trainer = Trainer(
            configured(NETWORKS[preset], network or []),
            configured(TrainConfig(), training or []),
            load_split("train", data),
            run,
        )
        if trainer.network.config.channels != len(CHANNELS):
            raise ValueError(f"UCI HAR has {len(CHANNELS)} channels")
        if trainer.network.config.classes != len(LABELS):
            raise ValueError(f"UCI HAR has {len(LABELS)} classes")
        if resume:
            trainer.resume()
    except (ValueError, DataError, CheckpointError) as error:
        raise typer.BadParameter(str(error)) from error
    _show(trainer)


def configured(defaults: Model, assignments: list[str]) -> Model:
    """The defaults with name=value on top, values in JSON; ValueError names what is wrong."""
    fields: dict[str, Any] = defaults.model_dump()
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or name not in fields:
            raise ValueError(f"{assignment!r}: expected name=value, name one of {sorted(fields)}")
        try:
            fields[name] = json.loads(value)
        except ValueError:
            fields[name] = value
    try:
        return type(defaults).model_validate(fields)
    except ValidationError as error:
        raise ValueError(str(error)) from error


def _show(trainer: Trainer) -> None:
    console = Console()
    parameters = sum(parameter.numel() for parameter in trainer.network.parameters())
    console.print(f"{trainer.network.config.family}: {parameters:,} parameters → {trainer.run}")
    columns = (
        TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
        BarColumn(),
        TextColumn("loss {task.fields[loss]:.3f}  validation {task.fields[accuracy]:.2%}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    epochs, batches = trainer.config.epochs, trainer.batches_per_epoch
    with Progress(*columns, console=console, refresh_per_second=2) as progress:
        task = progress.add_task(
            "",
            total=epochs * batches,
            completed=len(trainer.history) * batches,
            epoch=len(trainer.history) + 1,
            epochs=epochs,
            loss=float("nan"),
            accuracy=trainer.history[-1]["accuracy"] if trainer.history else 0.0,
        )

        def on_batch(epoch: int, batch: int, loss: float) -> None:
            progress.update(task, completed=(epoch - 1) * batches + batch, epoch=epoch, loss=loss)

        for record in trainer.fit(on_batch):
            progress.update(task, accuracy=record["accuracy"])
            if not console.is_terminal:
                console.print(" ".join(f"{key} {value:.6g}" for key, value in record.items()))
    chosen = trainer.selected
    console.print(f"epoch {chosen['epoch']} chosen: validation accuracy {chosen['accuracy']:.2%}")
