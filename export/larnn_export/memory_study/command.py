"""`python -m export tasks`: a study of memory on one task; called again, it goes on."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from larnn_export.memory import keep_freed_memory
from larnn_export.memory_study.contenders import CONTENDERS
from larnn_export.memory_study.protocol import Protocol
from larnn_export.memory_study.results import StudyError
from larnn_export.memory_tasks import TASKS, MemoryTask
from larnn_export.training_command import configured


def tasks(
    runs: Annotated[Path, typer.Argument(help="where results and weights go")] = Path("runs/tasks"),
    task: Annotated[str, typer.Option(help=f"one of: {', '.join(TASKS)}")] = "recall",
    size: Annotated[
        list[str] | None, typer.Option("--size", "-s", help="a size of the task, name=value")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help=f"these alone: {', '.join(CONTENDERS)}")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1)] = 5,
    protocol: Annotated[
        list[str] | None, typer.Option("--protocol", "-p", help="a protocol field, name=value")
    ] = None,
) -> None:
    """Train networks of one size on a task that asks for memory, each seed of all before the next.

    A finished run is a line in RUNS/results.jsonl and is not run again.
    """
    from larnn_export.memory_study.study import Study

    keep_freed_memory()
    names = [*CONTENDERS] if only is None else only
    if unknown := set(names) - CONTENDERS.keys():
        raise typer.BadParameter(f"no contender {', '.join(sorted(unknown))}", param_hint="--only")
    try:
        study = Study(_task(task, size or []), configured(Protocol(), protocol or []), runs)
        for record in study.run(names, seeds):
            Console().print(
                f"{record['task']} {record['contender']} seed {record['number']}: "
                f"{record['accuracy']:.2%}, {record['parameters']:,} parameters, "
                f"{1000 * record['cpu_seconds_per_update']:.0f} ms an update"
            )
    except (ValueError, StudyError) as error:
        raise typer.BadParameter(str(error)) from error


def _task(name: str, sizes: list[str]) -> MemoryTask:
    """The task of that name and these sizes; ValueError says what is wrong."""
    if name not in TASKS:
        raise ValueError(f"task {name!r} is not one of {', '.join(TASKS)}")
    known = {each.name for each in fields(TASKS[name])}  # type: ignore[arg-type]
    given = {}
    for assignment in sizes:
        key, _, value = assignment.partition("=")
        if key not in known or not value.isdecimal():
            raise ValueError(f"{assignment!r}: expected name=number, name one of {sorted(known)}")
        given[key] = int(value)
        if key != "gap" and not given[key]:
            raise ValueError(f"{key} must be 1 or more")
    return TASKS[name](**given)
