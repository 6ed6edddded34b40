"""`python -m export cross`: networks on divisions of the people that nobody chose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from larnn_export.carried import labelled
from larnn_export.checkpoint import CheckpointError
from larnn_export.data import DataError, load
from larnn_export.data.hapt import load_recordings
from larnn_export.data.uci_har import INFO
from larnn_export.memory import keep_freed_memory
from larnn_export.memory_study.results import Results, StudyError
from larnn_export.training_command import Data, NetworkFields, TrainingFields


def cross(
    runs: Annotated[Path, typer.Argument(help="where runs and results go")] = Path("runs/cross"),
    only: Annotated[list[str] | None, typer.Option(help="train these alone; or none")] = None,
    divisions: Annotated[int, typer.Option(min=1, help="the first so many")] = 10,
    seeds: Annotated[int, typer.Option(min=1)] = 3,
    trials: Annotated[
        int, typer.Option(min=0, help="settings tried for each network on each division")
    ] = 0,
    network: NetworkFields = None,
    training: TrainingFields = None,
    data: Data = None,
    output: Annotated[Path | None, typer.Option(help="write the figures as JSON")] = None,
) -> None:
    """Train on 21 people and measure on nine others, ten times over, windows and streams.

    A finished run is a line in RUNS/results.jsonl and is not run again. Differences are from the
    published form, with intervals over divisions.
    """
    from larnn_export.cross import CONTENDERS, PUBLISHED, Cross, everybody, summary

    keep_freed_memory()
    console = Console()
    names = [*CONTENDERS] if only is None else [name for name in only if name != "none"]
    if unknown := set(names) - CONTENDERS.keys():
        raise typer.BadParameter(f"no network {', '.join(sorted(unknown))}", param_hint="--only")
    try:
        people = everybody(load("train", data), load("test", data))
        if people.info != INFO:
            raise DataError("the divisions are of UCI HAR's people, whose recordings HAPT has")
        recordings = labelled(load_recordings(data))
        study = Cross(runs, people, recordings, network or [], training or [], trials)
        for record in study.run(names, divisions, seeds):
            console.print(
                f"division {record['division']} {record['contender']} seed {record['number']}: "
                f"windows {record['windows']:.2%}, streams {record['streams']:.2%}"
            )
        rows = summary(Results(runs).records, PUBLISHED)
    except (ValueError, DataError, CheckpointError, StudyError) as error:
        raise typer.BadParameter(str(error)) from error
    table = Table("network", "runs", "windows", "difference", "streams", "difference")
    for row in rows:
        cells = []
        for figure in ("windows", "streams"):
            mean, sd = row[figure]["mean"], row[figure]["sd"]
            cells.append(f"{mean:.2%}" if sd is None else f"{mean:.2%} ± {sd:.2%}")
            found = row.get(f"{figure}_difference")
            cells.append("{mean:+.2%} ({low:+.2%} to {high:+.2%})".format(**found) if found else "")
        table.add_row(row["contender"], str(row["runs"]), *cells)
    console.print(table)
    if output is not None:
        output.write_text(json.dumps({"command": "cross", "rows": rows}, indent=1) + "\n")
