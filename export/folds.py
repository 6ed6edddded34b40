"""Folds of the training subjects: what chooses the recipe, the number of epochs, the network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from export import checkpoint
from export.data import Split
from export.recipe import folds

FOLDS_FILE = "folds.json"


def fold_runs(runs: Path, train: Split) -> list[tuple[Path, tuple[int, ...]]]:
    """Where each fold's run goes, and who is held out in it."""
    held_out = folds(train.subjects.tolist())
    return [(runs / f"fold-{index}", people) for index, people in enumerate(held_out)]


def write_folds(runs: Path, train: Split) -> dict[str, Any]:
    """Write RUNS/folds.json: accuracy after the last epoch, over the windows of all people.

    Each person was held out once. Raises CheckpointError where a fold's run is not finished.
    """
    found, right = [], 0.0
    for run, people in fold_runs(runs, train):
        _, record = checkpoint.read(run, checkpoint.FINISHED)
        windows = len(train.of_subjects(people))
        accuracy = record["history"][-1]["accuracy"]
        right += accuracy * windows
        found.append(
            {
                "held_out": people,
                "windows": windows,
                "accuracy": accuracy,
                "history": record["history"],
            }
        )
    result = {
        "network": record["network"],
        "training": {**record["training"], "held_out": []},
        "accuracy": right / len(train),
        "folds": found,
    }
    (runs / FOLDS_FILE).write_text(json.dumps(result, indent=1) + "\n")
    return result
