"""Folds of the training subjects: what chooses the recipe, the number of epochs, the network."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path
from typing import Any

from larnn_export import checkpoint
from larnn_export.data import DataError, Split
from larnn_export.identity import require_configurations
from larnn_export.recipe import FOLDS, folds

Record = dict[str, Any]
FOLDS_FILE = "folds.json"


def fold_runs(runs: Path, train: Split) -> list[tuple[Path, tuple[int, ...]]]:
    """Where each fold's run goes, and who is held out in it; DataError where a fold has nobody."""
    held_out = folds(train.subjects.tolist())
    if not all(held_out):
        raise DataError(f"{FOLDS} folds need {FOLDS} people; {sum(map(len, held_out))} are there")
    return list(zip(_runs(runs), held_out, strict=True))


def read_folds(runs: Path) -> list[Record]:
    """Each fold's record; CheckpointError where they are not all five, of one recipe."""
    records = [checkpoint.read(run, checkpoint.FINISHED)[1] for run in _runs(runs)]
    held_out = [tuple(record["training"]["held_out"]) for record in records]
    if held_out != folds(chain(*held_out)):
        raise checkpoint.CheckpointError(f"{runs} holds other folds of its people: {held_out}")
    first, *others = map(_of_all_people, records)
    for run, other in zip(_runs(runs)[1:], others, strict=True):
        require_configurations(run, other, first)
    return records


def recipe_of(records: list[Record]) -> Record:
    """What folds have in common, and what each began with."""
    common = _of_all_people(records[0])
    return {
        "network": common["network"],
        "training": common["training"],
        "started_from": [record.get("started_from") for record in records],
    }


def require_folds_of(runs: Path, recipe: Record, record: Record) -> None:
    """Raises CheckpointError where folds are of another recipe than a run's, but for the seed.

    Each began with another run's weights, or none did, as the run itself; a folds.json that does
    not say so is believed.
    """
    seed = {"seed": record["training"]["seed"]}
    mine = {**recipe, "training": {**recipe["training"], **seed}}
    require_configurations(runs, mine, record)
    started = bool(record.get("started_from"))
    if any(bool(each) != started for each in recipe.get("started_from", [])):
        has = "has" if started else "has not"
        raise checkpoint.CheckpointError(
            f"the run {has} begun with the weights of another (--start): {runs} differs"
        )


def write_folds(runs: Path, train: Split) -> Record:
    """Write RUNS/folds.json: accuracy after the last epoch, over the windows of all people.

    Each person was held out once. Raises CheckpointError as `read_folds` does.
    """
    records = read_folds(runs)
    found = [
        {
            "held_out": record["training"]["held_out"],
            "windows": len(train.of_subjects(tuple(record["training"]["held_out"]))),
            "accuracy": record["history"][-1]["accuracy"],
            "history": record["history"],
        }
        for record in records
    ]
    right = sum(fold["accuracy"] * fold["windows"] for fold in found)
    result = {**recipe_of(records), "accuracy": right / len(train), "folds": found}
    (runs / FOLDS_FILE).write_text(json.dumps(result, indent=1) + "\n")
    return result


def _runs(runs: Path) -> list[Path]:
    return [runs / f"fold-{index}" for index in range(FOLDS)]


def _of_all_people(record: Record) -> Record:
    return {**record, "training": {**record["training"], "held_out": []}}
