"""`python -m export train | folds`: a configuration from the command line, trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console

from larnn_export.augment import in_triplets
from larnn_export.carried import Labelled, labelled
from larnn_export.checkpoint import LAST, CheckpointError
from larnn_export.data import DataError, Split, load
from larnn_export.data.hapt import load_recordings
from larnn_export.data.uci_har import INFO
from larnn_export.families import FAMILIES, NetworkConfig
from larnn_export.folds import fold_runs, write_folds
from larnn_export.memory import keep_freed_memory
from larnn_export.pictures import CURVES_FILE, draw_learning_curves
from larnn_export.progress import train_showing
from larnn_export.recipe import TrainConfig
from larnn_export.resume import resume as go_on
from larnn_export.train import Trainer

Model = TypeVar("Model", bound=BaseModel)
Preset = Annotated[str, typer.Option(help=f"one of: {', '.join(FAMILIES)}")]
NetworkFields = Annotated[
    list[str] | None, typer.Option("--network", "-n", help="a network field, name=value")
]
TrainingFields = Annotated[
    list[str] | None, typer.Option("--training", "-t", help="a training field, name=value")
]
DATA_HELP = "folder that holds uci-har, or your own with a dataset.toml"
Data = Annotated[Path | None, typer.Option(help=DATA_HELP)]
Start = Annotated[Path | None, typer.Option(help="begin with a finished run's weights")]
Resume = Annotated[bool, typer.Option(help="go on where this run stopped")]


def train(
    run: Annotated[Path, typer.Argument(help="where checkpoints go")] = Path("runs/larnn-har"),
    preset: Preset = "larnn",
    network: NetworkFields = None,
    training: TrainingFields = None,
    data: Data = None,
    resume: Resume = False,
    start: Start = None,
) -> None:
    """Train on UCI HAR's 21 training subjects, or on your own."""
    keep_freed_memory()
    try:
        split = load("train", data)
        network_config, train_config = configs(preset, network, training, split)
        recordings = recordings_for(train_config, split, data)
        trainer = Trainer(network_config, train_config, split, run, recordings)
        if start:
            trainer.start_from(start)
        train_to_end(trainer, resume)
    except (ValueError, DataError, CheckpointError) as error:
        raise typer.BadParameter(str(error)) from error


def folds(
    runs: Annotated[Path, typer.Argument(help="where five runs go")] = Path("runs/larnn-folds"),
    preset: Preset = "larnn",
    network: NetworkFields = None,
    training: TrainingFields = None,
    data: Data = None,
    resume: Resume = False,
    start: Annotated[
        Path | None, typer.Option(help="begin each with the weights of its fold's run in here")
    ] = None,
) -> None:
    """Train five times, each with a fifth of the training subjects held out and measured."""
    keep_freed_memory()
    try:
        split = load("train", data)
        network_config, train_config = configs(preset, network, training, split)
        recordings = recordings_for(train_config, split, data)
        for run, held_out in fold_runs(runs, split):
            config = train_config.model_copy(update={"held_out": held_out})
            trainer = Trainer(network_config, config, split, run, recordings)
            if start:
                trainer.start_from(start / run.name)
            train_to_end(trainer, resume)
        result = write_folds(runs, split)
    except (ValueError, DataError, CheckpointError) as error:
        raise typer.BadParameter(str(error)) from error
    draw_learning_curves(result, runs / CURVES_FILE)
    Console().print(f"held-out training subjects: {result['accuracy']:.2%} → {runs}")


def recordings_for(config: TrainConfig, split: Split, data: Path | None) -> list[Labelled]:
    """What the streams of this configuration are cut from."""
    if config.streams and split.info != INFO:
        raise ValueError("streams are cut from HAPT's recordings: with other data leave them out")
    return labelled(load_recordings(data)) if config.streams else []


def train_to_end(trainer: Trainer, resume: bool) -> None:
    """Train, or go on where the run stopped; ValueError where that is not wanted."""
    if (trainer.run / f"{LAST}.json").exists():
        if not resume:
            raise ValueError(
                f"{trainer.run} holds a run already: add --resume, or name another folder"
            )
        go_on(trainer)
    train_showing(trainer)


def configs(
    preset: str, network: list[str] | None, training: list[str] | None, data: Split
) -> tuple[NetworkConfig, TrainConfig]:
    if preset not in FAMILIES:
        raise ValueError(f"preset {preset!r} is not one of {', '.join(FAMILIES)}")
    sizes = {"channels": len(data.info.channels), "classes": len(data.info.labels)}
    config = configured(FAMILIES[preset].preset.model_copy(update=sizes), network or [])
    for name, size in sizes.items():
        if getattr(config, name) != size:
            raise ValueError(f"the data has {size} {name}, not {getattr(config, name)}")
    defaults = TrainConfig()
    if not in_triplets(data.info.channels):
        defaults = defaults.model_copy(update={"rotation_degrees": 0})
    asked = configured(defaults, training or [])
    shorter = defaults.model_copy(update={"ema_decay": asked.short_ema_decay(len(data))})
    train_config = configured(shorter, training or [])
    if train_config.rotation_degrees and not in_triplets(data.info.channels):
        raise ValueError("rotation_degrees needs channels in triplets: NAME_x, NAME_y, NAME_z, …")
    return config, train_config


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
