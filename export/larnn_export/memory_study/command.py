"""`python -m export tasks | reach | attention`: a study of memory, and what tasks ask of it."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from larnn_export.checkpoint import CheckpointError, load_network
from larnn_export.memory import keep_freed_memory
from larnn_export.memory_study.contenders import CONTENDERS
from larnn_export.memory_study.protocol import Protocol
from larnn_export.memory_study.results import StudyError
from larnn_export.memory_tasks import TASKS, EndlessStreams, MemoryTask, within_reach
from larnn_export.training_command import configured

WINDOWS = (1, 8, 32)
"""Steps back that `reach` tries."""
SOME = 100
"""Episodes that tell how many questions one has."""
TaskName = Annotated[str, typer.Option(help=f"one of: {', '.join(TASKS)}")]
Sizes = Annotated[
    list[str] | None, typer.Option("--size", "-s", help="a size of the task, name=value")
]


def tasks(
    runs: Annotated[Path, typer.Argument(help="where results and weights go")] = Path("runs/tasks"),
    task: TaskName = "recall",
    size: Sizes = None,
    only: Annotated[
        list[str] | None, typer.Option(help=f"these alone: {', '.join(CONTENDERS)}; or none")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1)] = 5,
    protocol: Annotated[
        list[str] | None, typer.Option("--protocol", "-p", help="a protocol field, name=value")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="write the figures of RUNS as JSON, and pictures beside")
    ] = None,
) -> None:
    """Train networks of one size on a task that asks for memory, each seed of all before the next.

    A finished run is a line in RUNS/results.jsonl and is not run again.
    """
    from larnn_export.memory_study.pictures import draw_curves
    from larnn_export.memory_study.study import Study
    from larnn_export.memory_study.summary import summary

    keep_freed_memory()
    names = [*CONTENDERS] if only is None else [name for name in only if name != "none"]
    if unknown := set(names) - CONTENDERS.keys():
        raise typer.BadParameter(f"no contender {', '.join(sorted(unknown))}", param_hint="--only")
    try:
        study = Study(task_named(task, size or []), configured(Protocol(), protocol or []), runs)
        for record in study.run(names, seeds):
            Console().print(
                f"{record['task']} {record['contender']} seed {record['number']}: "
                f"{record['accuracy']:.2%}, {record['parameters']:,} parameters, "
                f"{1000 * record['cpu_seconds_per_update']:.0f} ms an update"
            )
    except (ValueError, StudyError) as error:
        raise typer.BadParameter(str(error)) from error
    if output is not None:
        rows = summary(study.results.records)
        output.write_text(json.dumps({"command": "tasks", "rows": rows}, indent=1) + "\n")
        if rows:
            draw_curves(rows, output.with_suffix(".png"))


def reach(
    questions: Annotated[int, typer.Option(min=1, help="of each task, about")] = 2_000,
    output: Annotated[
        Path | None, typer.Option(help="write the figures as JSON, and a picture beside")
    ] = None,
) -> None:
    """What each task asks of a memory: the share of right answers that a perfect memory reaches
    which holds so many steps, in episodes and in endless streams.

    Beside the JSON it draws an episode of each."""
    from larnn_export.memory_study.pictures import draw_tasks

    rows, every = [], [task() for task in TASKS.values()]
    for task in every:
        generator = torch.Generator().manual_seed(0)
        some = task.draw(SOME, generator)
        episodes = math.ceil(questions * SOME / int(some.asked.sum()))
        drawn = task.draw(episodes, generator)
        steps = drawn.x.shape[1]
        stream = EndlessStreams(task, 4, generator).next(steps * math.ceil(episodes / 4 + 1))
        row = {"task": task.name, "steps": steps, "questions": int(drawn.asked.sum())}
        row["floor"] = task.floor
        row |= {f"window_{k}": within_reach(task, drawn, k) for k in WINDOWS}
        row["all"] = within_reach(task, drawn)
        row["stream_window_32"] = within_reach(task, stream, 32)
        rows.append(row)
        Console().print(" ".join(f"{name} {value}" for name, value in row.items()))
    if output is not None:
        output.write_text(json.dumps({"command": "reach", "rows": rows}, indent=1) + "\n")
        draw_tasks(every, output.with_suffix(".png"))


def attention(
    run: Annotated[Path, typer.Argument(help="the folder of a run's weights")],
    output: Annotated[Path, typer.Argument(help="the picture")],
    task: TaskName = "recall",
    size: Sizes = None,
    seed: Annotated[int, typer.Option(min=0, help="of the episode")] = 3 * 10**6,
) -> None:
    """Draw where a LARNN of a study looks at each question of an episode that it has not seen."""
    from larnn_export.memory_study.pictures import attention_of, draw_attention

    try:
        asked = task_named(task, size or [])
        draw_attention(*attention_of(load_network(run), asked, seed), output)
    except (ValueError, CheckpointError) as error:
        raise typer.BadParameter(str(error)) from error


def task_named(name: str, sizes: list[str]) -> MemoryTask:
    """The task of that name and these sizes; ValueError says what is wrong."""
    if name not in TASKS:
        raise ValueError(f"task {name!r} is not one of {', '.join(TASKS)}")
    known = {each.name for each in fields(TASKS[name])}
    given = {}
    for assignment in sizes:
        key, _, value = assignment.partition("=")
        if key not in known or not value.isdecimal():
            raise ValueError(f"{assignment!r}: expected name=number, name one of {sorted(known)}")
        given[key] = int(value)
        if key != "gap" and not given[key]:
            raise ValueError(f"{key} must be 1 or more")
    return TASKS[name](**given)
