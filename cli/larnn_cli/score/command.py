"""`larnn score`: the command."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from larnn_cli.context import Context, read_context
from larnn_cli.measured import Axes, SampleRate, Units
from larnn_cli.score.places import Job
from larnn_cli.score.plan import plan
from larnn_cli.score.scorer import Scorer
from larnn_cli.service import ModelName
from larnn_service.cores import cores

app = typer.Typer()


@app.command()
def score(
    source: Annotated[
        str, typer.Argument(help="a .parquet file, a folder of them, or s3://bucket/path")
    ],
    target: Annotated[str, typer.Argument(help="a folder for the answers, or s3://bucket/path")],
    every: Annotated[
        bool, typer.Option("--every", help="a row for each step, not for each recording")
    ] = False,
    by: Annotated[
        list[str] | None,
        typer.Option(help="column where a change begins another recording; again for each"),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(
            help="the one that holds a step's numbers as a list",
            show_default="a column for each channel",
        ),
    ] = None,
    outputs: Annotated[
        list[str] | None, typer.Option(help="a further output to tell; again for each")
    ] = None,
    model: ModelName = None,
    version: Annotated[int | None, typer.Option(min=1, show_default="the newest")] = None,
    context: Context = None,
    units: Units = "",
    axes: Axes = "",
    sample_rate: SampleRate = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="runs at a time", show_default="one for each core")
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1, help="recordings in a run", show_default="8 with the native operator, else 64"
        ),
    ] = None,
) -> None:
    """Run recordings in Parquet through a model, and write its answers to Parquet.

    The models are those of LARNN_MODELS, and run in this process. A file of answers is there once
    it is whole, so a run that was ended goes on with the files that have none.
    """
    planned = plan(
        source,
        target,
        model=model,
        version=version,
        threads=threads or cores(),
        batch=batch,
        by=tuple(by or ()),
        column=column,
        outputs=tuple(outputs or ()),
        every=every,
        context=read_context(context),
        units=units,
        axes=axes,
        sample_rate_hz=sample_rate,
    )
    if planned.done:
        typer.echo(f"{planned.done:,} files have answers already", err=True)
    failed = _show(planned.scorer, planned.jobs)
    if failed:
        raise typer.Exit(1)


def _show(scorer: Scorer, jobs: list[Job]) -> bool:
    """Score them with a bar of progress, and say how it went; whether any has failed."""
    console = Console(stderr=True)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files  {task.fields[steps]:,} steps  {task.fields[rate]:,.0f} steps/s "),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    steps = failed = 0
    with (
        Progress(*columns, console=console, transient=True) as progress,
        closing(scorer.score(jobs)) as each,
    ):
        task = progress.add_task("", total=len(jobs), steps=0, rate=0.0)
        for told in each:
            steps += told.steps
            if told.problem:
                failed += 1
                console.print(f"{told.job.path}: {told.problem}", markup=False, soft_wrap=True)
            elapsed = progress.tasks[task].elapsed or 0
            rate = steps / elapsed if elapsed else 0.0
            progress.update(task, advance=int(told.is_over), steps=steps, rate=rate)
        seconds = progress.tasks[task].elapsed or 0
    speed = f", {steps / seconds:,.0f} a second" if seconds else ""
    failures = f"; {failed:,} failed, and are tried again when this is run again" if failed else ""
    typer.echo(f"{len(jobs) - failed:,} files, {steps:,} steps{speed}{failures}", err=True)
    return bool(failed)
