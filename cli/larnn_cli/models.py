"""`larnn models`: what a service serves."""

from __future__ import annotations

import dataclasses
import json as encoder

import typer
from rich.console import Console
from rich.table import Table

from larnn_cli.service import Ca, Json, Key, Local, RetryFor, Service, Url


def models(
    url: Url = None,
    key: Key = None,
    ca: Ca = None,
    retry_for: RetryFor = 5.0,
    local: Local = False,
    json: Json = False,
) -> None:
    """List the served models with their channels and labels."""
    with Service(url, key, ca, retry_for, local).client() as client:
        served = client.models()
    if json:
        typer.echo(encoder.dumps(dataclasses.asdict(served)))
        return
    table = Table("model", "takes", "answers", "runs on")
    for model in served.models:
        name = f"{model.name}/{model.version}"
        channels = ", ".join(f"{channel} \\[{unit}]" for channel, unit in model.channels.items())
        table.add_row(
            f"{name}\n(default)" if model.name == served.default else name,
            f"{channels} at {model.sample_rate_hz:g} Hz" if model.sample_rate_hz else channels,
            ", ".join(model.labels),
            model.provider,
        )
    Console().print(table)
