"""How much better one network is than another: differences of pairs, with their intervals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from larnn_export import checkpoint
from larnn_export.evaluate import EVALUATION_FILE

Record = dict[str, Any]


def paired(runs: Sequence[Path], others: Sequence[Path]) -> Record:
    """Runs less others, in accuracy on the test set: over seeds, and over people.

    Runs are paired by seed. A person's difference is that of the means over all seeds; people are
    what the figure is to hold for, so theirs is the wider interval. Raises ValueError where the
    seeds differ or are fewer than two, OSError where a run is not evaluated.
    """
    mine, theirs = _by_seed(runs), _by_seed(others)
    if mine.keys() != theirs.keys() or len(mine) < 2:
        raise ValueError(f"two or more seeds on both sides, not {[*mine]} and {[*theirs]}")
    seeds = sorted(mine)
    people = sorted(mine[seeds[0]]["per_subject"], key=int)
    by_seed = [mine[seed]["accuracy"] - theirs[seed]["accuracy"] for seed in seeds]
    by_person = [_of_person(mine, person) - _of_person(theirs, person) for person in people]
    return {
        "seeds": seeds,
        "accuracy": spread([mine[seed]["accuracy"] for seed in seeds]),
        "other_accuracy": spread([theirs[seed]["accuracy"] for seed in seeds]),
        "over_seeds": {"each": by_seed, **interval(by_seed)},
        "over_people": {
            "each": dict(zip(people, by_person, strict=True)),
            **interval(by_person),
        },
    }


def _by_seed(runs: Sequence[Path]) -> dict[int, Record]:
    found = {}
    for run in runs:
        _, record = checkpoint.read(run, checkpoint.FINISHED)
        found[record["training"]["seed"]] = json.loads((run / EVALUATION_FILE).read_text())
    return found


def _of_person(evaluations: dict[int, Record], person: str) -> float:
    return float(np.mean([each["per_subject"][person] for each in evaluations.values()]))


def spread(values: Sequence[float]) -> Record:
    return {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1))}


def interval(differences: Sequence[float], ratio: float = 0.0) -> Record:
    """Mean and 95% interval of Student's t.

    Where each difference is of another division of the same data, its trainings share most of what
    they learn from; `ratio` is how much is measured on, by how much is trained on, and widens the
    interval: the variance of the mean is s²·(1/n + ratio), not s²/n (Nadeau and Bengio, Inference
    for the generalization error, 2003).
    """
    mean, deviation = np.mean(differences), np.std(differences, ddof=1)
    error = deviation * np.sqrt(1 / len(differences) + ratio)
    low, high = stats.t.interval(0.95, len(differences) - 1, mean, error) if error else (mean, mean)
    return {"mean": float(mean), "low": float(low), "high": float(high)}
