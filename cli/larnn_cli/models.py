"""`larnn models`: what a service serves."""

from __future__ import annotations

import dataclasses
import json as encoder
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from larnn_cli.service import Ca, Json, Key, Local, RetryFor, Service, Url

if TYPE_CHECKING:
    from larnn_client import Context, Output


def models(
    url: Url = None,
    key: Key = None,
    ca: Ca = None,
    retry_for: RetryFor = 5.0,
    local: Local = False,
    json: Json = False,
) -> None:
    """List the served models with their channels and outputs."""
    with Service(url, key, ca, retry_for, local).client() as client:
        served = client.models()
    if json:
        typer.echo(encoder.dumps(dataclasses.asdict(served)))
        return
    table = Table("model", "takes", "answers", "runs on")
    for model in served.models:
        name = f"{model.name}/{model.version}"
        step = str(model.input)
        if model.sample_rate_hz:
            step += f", {model.sample_rate_hz:g} steps a second"
        told = "; ".join(map(_told, model.context))
        table.add_row(
            f"{name}\n(default)" if model.name == served.default else name,
            escape(f"{step}; told once: {told}" if told else step),
            escape("; ".join(map(_gives, model.outputs))),
            model.provider,
        )
    Console().print(table)


def _told(context: Context) -> str:
    """What `--context` takes for this tensor."""
    default = "" if context.required else ", or its default"
    return f"{context.name} {context.dtype} {list(context.shape)}{default}"


def _gives(output: Output) -> str:
    """What the numbers of an output are: its labels, its values with their units, or an array."""
    if output.units:
        values = zip(output.labels, output.units, strict=True)
        return ", ".join(f"{name} [{unit}]" for name, unit in values)
    if output.labels:
        return ", ".join(output.labels)
    return f"{output.name}, {output.dtype} {list(output.shape)}"
