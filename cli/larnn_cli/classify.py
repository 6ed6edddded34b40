"""`larnn classify`: files in, one label a sequence out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from larnn_cli import results
from larnn_cli.context import Context, read_context
from larnn_cli.measured import Axes, SampleRate, Units, measured
from larnn_cli.recordings import Reader, Recording
from larnn_cli.results import Result
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

MAX_SEQUENCES, MAX_NUMBERS = 64, 2**20
"""In one request: the service's own limits are beyond them."""


def classify(
    files: Annotated[
        list[Path],
        typer.Argument(
            exists=True,
            help=".npz, .npy, .csv, .parquet, .wav of a model that takes frames of samples, or "
            "folders with a dataset.toml",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help=f"write {', '.join(results.FORMATS)}")
    ] = None,
    window: Annotated[
        int | None, typer.Option(min=1, help="cut files into windows of so many steps")
    ] = None,
    hop: Annotated[
        int | None,
        typer.Option(min=1, help="steps from window to window", show_default="half a window"),
    ] = None,
    by: Annotated[
        list[str] | None, typer.Option(help="column of a table: where it changes, cut")
    ] = None,
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
    """Classify recordings, each as a whole or in windows.

    The columns of a table are found by the names of the model's channels: see larnn models.
    """
    if output is not None and output.suffix not in results.FORMATS:
        raise typer.BadParameter(f"end it with {', '.join(results.FORMATS)}", param_hint="--output")
    if hop is not None and window is None:
        raise typer.BadParameter("it goes with --window", param_hint="--hop")
    told = read_context(context)
    with Service(url, key, ca, retry_for, local).client() as client:
        served = chosen(client, model)
        reader = Reader(
            tuple(served.channels), array, tuple(by or ()), window, hop, served.input.frame
        )
        recordings = [recording for file in files for recording in reader.read(file)]
        said = measured((units, axes, sample_rate), files, reader, served)
        found: list[Result] = []
        columns = (*Progress.get_default_columns(), MofNCompleteColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("sequences", total=len(recordings))
            for batch in _batches(recordings):
                answer = client.classify(
                    [recording.steps for recording in batch],
                    model=served.name,
                    outputs=outputs or (),
                    context=told,
                    measured=said,
                )
                found += [
                    Result(
                        str(recording.file),
                        recording.first_row,
                        len(recording.steps),
                        recording.expected,
                        prediction,
                    )
                    for recording, prediction in zip(batch, answer.predictions, strict=True)
                ]
                progress.advance(task, len(batch))
    if output is not None:
        results.write(found, output)
    if json:
        typer.echo(results.as_json(found))
    else:
        results.show(found, Console())


def _batches(recordings: Iterable[Recording]) -> Iterator[list[Recording]]:
    batch: list[Recording] = []
    numbers = 0
    for recording in recordings:
        if batch and (len(batch) == MAX_SEQUENCES or numbers + recording.steps.size > MAX_NUMBERS):
            yield batch
            batch, numbers = [], 0
        batch.append(recording)
        numbers += recording.steps.size
    if batch:
        yield batch
