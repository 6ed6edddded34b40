"""The table of runs: what was tried, what came of it, and the command that does it again."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from larnn_export import checkpoint
from larnn_export.evaluate import EVALUATION_FILE
from larnn_export.families import FAMILIES, configure
from larnn_export.folds import FOLDS_FILE
from larnn_export.recipe import TrainConfig
from larnn_export.stream_evaluation import STREAMS_FILE

COLUMNS = ("run", "seed", "folds", "each_fold", "test", "streams", "command")


def write_table(runs: list[Path], table: Path) -> None:
    """Write the table, a row for each run; a row of the same name is replaced."""
    rows = {}
    if table.is_file():
        with table.open(newline="") as file:
            rows = {row["run"]: row for row in csv.DictReader(file)}
    rows |= {run.name: row_of(run) for run in runs}
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[name] for name in sorted(rows))


def row_of(run: Path) -> dict[str, str]:
    """A run's or its folds' figures in percent. CheckpointError where it has neither."""
    folds, test, streams = (_read(run / f) for f in (FOLDS_FILE, EVALUATION_FILE, STREAMS_FILE))
    record = folds or checkpoint.read(run, checkpoint.FINISHED)[1]
    each = [f"{fold['accuracy']:.2%}" for fold in folds["folds"]] if folds else []
    return {
        "run": run.name,
        "seed": str(record["training"]["seed"]),
        "folds": f"{folds['accuracy']:.2%}" if folds else "",
        "each_fold": " ".join(each),
        "test": f"{test['accuracy']:.2%}" if test else "",
        "streams": f"{streams['accuracy']:.2%}" if streams else "",
        "command": command_of("folds" if folds else "train", run.name, record),
    }


def command_of(verb: str, name: str, record: dict[str, Any]) -> str:
    """What trains this again: the preset that is nearest, and what differs from it."""
    network = configure(record["network"])
    training = TrainConfig.model_validate({**record["training"], "held_out": ()})
    differences = {
        preset: [
            *_differences("-t", training, TrainConfig()),
            *_differences("-n", network, family.preset),
        ]
        for preset, family in FAMILIES.items()
    }
    preset = min(differences, key=lambda each: len(differences[each]))
    words = [f"python -m export {verb} runs/{name} --preset {preset}", *differences[preset]]
    return " ".join([*words, *_start(record.get("started_from"))])


def _start(digests: str | list[str | None] | None) -> list[str]:
    """Of a run, or of each of its folds: with whose weights it began."""
    if isinstance(digests, str):
        return [f"--start RUN  # whose tensors_sha256 is {digests[:12]}"]
    each = ", ".join(digest[:12] for digest in digests or [] if digest)
    return [f"--start RUNS  # whose folds' tensors_sha256 are {each}"] if each else []


def _differences(flag: str, mine: BaseModel, other: BaseModel) -> list[str]:
    theirs = other.model_dump(mode="json")
    return [
        f"{flag} {name}={json.dumps(value)}"
        for name, value in mine.model_dump(mode="json").items()
        if value != theirs.get(name)
    ]


def _read(file: Path) -> dict[str, Any] | None:
    found: dict[str, Any] | None = json.loads(file.read_text()) if file.is_file() else None
    return found
