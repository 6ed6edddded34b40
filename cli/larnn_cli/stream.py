"""`larnn stream`: a recording, or what comes on the standard input, through one stream."""

from __future__ import annotations

import json as encoder
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from larnn_cli.answers import shown, told
from larnn_cli.chunks import cut, from_lines, paced
from larnn_cli.context import Context, read_context
from larnn_cli.measured import Axes, SampleRate, Units, measured
from larnn_cli.recordings import Floats, Reader
from larnn_cli.service import (
    Array,
    Ca,
    Json,
    Key,
    Local,
    ModelName,
    Outputs,
    RetryFor,
    Service,
    Url,
    chosen,
)
from larnn_export.data import DataError

if TYPE_CHECKING:
    from larnn_client import Model, Prediction, Step, Stream

AHEAD = 16
"""Chunks sent before their answers, at full speed."""


def stream(
    file: Annotated[
        Path,
        typer.Argument(
            help=".npz, .npy, .csv, .parquet, or .wav of a model that takes frames of samples; "
            "- reads a step a line, CSV or JSON arrays",
        ),
    ],
    chunk: Annotated[int, typer.Option(min=1, help="steps in a message")] = 10,
    full_speed: Annotated[
        bool, typer.Option("--full-speed", help="as fast as it goes, not as it was recorded")
    ] = False,
    every: Annotated[bool, typer.Option("--every", help="answer every step")] = False,
    resume: Annotated[str | None, typer.Option(help="id of a stream to go on with")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="do not end it: tell its id")] = False,
    array: Array = None,
    outputs: Outputs = None,
    model: ModelName = None,
    context: Context = None,
    units: Units = "",
    axes: Axes = "",
    sample_rate: SampleRate = None,
    url: Url = None,
    key: Key = None,
    ca: Ca = None,
    retry_for: RetryFor = 5.0,
    local: Local = False,
    json: Json = False,
) -> None:
    """Stream a recording at the speed at which it was made, and print each answer.

    The service keeps the state between the chunks. When the connection breaks, another is made, and
    every step counts once.
    """
    once = read_context(context)
    if once and resume is not None:
        raise typer.BadParameter("a stream keeps what it was told", param_hint="--context")
    with Service(url, key, ca, retry_for, local).client() as client:
        served = chosen(client, model)
        reader = Reader(tuple(served.channels), array, frame=served.input.frame)
        said = measured((units, axes, sample_rate), [file], reader, served)
        chunks = _chunks(file, reader, chunk)
        if served.sample_rate_hz and not full_speed and str(file) != "-":
            chunks = paced(chunks, served.sample_rate_hz)
        emit: Literal["last", "every"] = "every" if every else "last"
        with client.stream(
            model=served.name,
            resume=resume,
            emit=emit,
            outputs=outputs or (),
            context=once,
            measured=said,
        ) as opened:
            try:
                for prediction in opened.predict(chunks, ahead=AHEAD if full_speed else 1):
                    _print(prediction, served, json)
            except KeyboardInterrupt:
                _tell_id(opened)
                raise
            if keep:
                _tell_id(opened)
                opened.close()
            else:
                typer.echo(f"ended at {opened.end():,}", err=True)


def _chunks(file: Path, reader: Reader, size: int) -> Iterator[Floats]:
    if str(file) == "-":
        return from_lines(sys.stdin, reader.channels, size)
    recordings = reader.read(file)
    if len(recordings) != 1:
        raise DataError(f"{file} holds {len(recordings)} sequences; a stream takes one")
    return cut(recordings[0].steps, size)


def _print(prediction: Prediction, model: Model, json: bool) -> None:
    steps: tuple[Step, ...] = prediction.steps or (prediction,)
    for position, step in enumerate(steps, start=prediction.position - len(steps) + 1):
        if json:
            typer.echo(encoder.dumps({"position": position} | told(step)))
        else:
            clock = f"{position / model.sample_rate_hz:8.2f} s  " if model.sample_rate_hz else ""
            typer.echo(f"{clock}{position:>8,}  {shown(step)}")


def _tell_id(stream: Stream) -> None:
    typer.echo(f"at {stream.read:,}; go on with --resume {stream.id}", err=True)
