"""`python -m export adding | mnist | imdb`: RRA against an LSTM of the same size, over seeds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from larnn_export.data import DataError
from larnn_export.memory import keep_freed_memory
from larnn_export.tasks import adding as adding_task
from larnn_export.tasks import pixels, reviews
from larnn_export.tasks.pictures import draw_race
from larnn_export.tasks.race import RaceError, run
from larnn_export.tasks.task import Budget, Task

CONTENDERS = ("lstm", "rra")
RESULTS = Path("benchmarks/results")
Runs = Annotated[Path, typer.Option(help="where each run's weights and result go")]
Seeds = Annotated[int, typer.Option(min=1)]
Updates = Annotated[int | None, typer.Option(min=1, help="instead of the task's budget")]
Data = Annotated[Path | None, typer.Option(help="folder that holds mnist and imdb")]
Output = Annotated[Path, typer.Option(help="where the results and the picture go")]


def adding(
    runs: Runs = Path("runs"), seeds: Seeds = 3, updates: Updates = None, output: Output = RESULTS
) -> None:
    """The adding problem: how many updates until the squared error is below 0.01."""
    budget = _budget(adding_task.BUDGET, updates)
    tasks = [adding_task.Adding(steps, budget) for steps in adding_task.LENGTHS]
    _race("adding", tasks, seeds, runs, output)


def mnist(
    runs: Runs = Path("runs"),
    seeds: Seeds = 3,
    updates: Updates = None,
    data: Data = None,
    output: Output = RESULTS,
) -> None:
    """MNIST pixel by pixel, in reading order."""
    task = _loaded(lambda: pixels.Pixels(data, _budget(pixels.BUDGET, updates)))
    _race("mnist", [task], seeds, runs, output)


def imdb(
    runs: Runs = Path("runs"),
    seeds: Seeds = 3,
    updates: Updates = None,
    data: Data = None,
    output: Output = RESULTS,
) -> None:
    """Sentiment of film reviews, token by token."""
    task = _loaded(lambda: reviews.Reviews(data, _budget(reviews.BUDGET, updates)))
    _race("imdb", [task], seeds, runs, output)


def _loaded(load: Callable[[], Task]) -> Task:
    try:
        return load()
    except DataError as error:
        raise typer.BadParameter(str(error)) from error


def _budget(default: Budget, updates: int | None) -> Budget:
    return default if updates is None else default.model_copy(update={"updates": updates})


def _race(name: str, tasks: Iterable[Task], seeds: int, runs: Path, output: Path) -> None:
    """What is finished is kept and not run again; the files are written anew after each run."""
    keep_freed_memory()
    console, results = Console(), []
    tasks = list(tasks)
    for seed in range(seeds):
        for task in tasks:
            for family in CONTENDERS:
                folder = runs / f"{task.name}-{family}-s{seed}"
                try:
                    results.append(run(task, family, seed, folder))
                except RaceError as error:
                    raise typer.BadParameter(str(error)) from error
                update, _, measured = results[-1]["curve"][-1]
                console.print(
                    f"{task.name} {family} seed {seed}: {task.measured} {measured:.4f} "
                    f"after {update:,} updates, {results[-1]['seconds']:,.0f} s"
                )
                _write(name, results, output)


def _write(name: str, results: list[dict[str, Any]], output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    (output / f"{name}.json").write_text(json.dumps(results) + "\n")
    draw_race(results, output / f"{name}.png")
