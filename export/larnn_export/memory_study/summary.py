"""What a study's finished runs say together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from larnn_export.memory_study.results import Record
from larnn_export.memory_study.study import SEED
from larnn_export.paired import interval, spread

BASELINE = "larnn"
"""From which the others' differences are taken."""
SAME = ("parameters", "macs_per_step", "state_bytes", "cpu_seconds_per_update", "floor")
"""Fields of a run that its row takes from the first seed."""


def summary(records: Sequence[Record]) -> list[Record]:
    """A row for each contender on each task, the most accurate first: its accuracies by seed, its
    costs, its learning curves, and the difference from the LARNN over the seeds that both have."""
    seeds = [record for record in records if record["stage"] == SEED]
    tasks = dict.fromkeys(record["task"] for record in seeds)
    return [row for task in tasks for row in _of_task(seeds, task)]


def _of_task(records: list[Record], task: str) -> Iterator[Record]:
    mine = [each for each in records if each["task"] == task]
    found: dict[str, dict[int, Record]] = {}
    for record in mine:
        found.setdefault(record["contender"], {})[record["number"]] = record
    for contender, runs in sorted(found.items(), key=lambda each: -_mean(each[1])):
        first = runs[min(runs)]
        row: Record = {
            "task": task,
            "contender": contender,
            "accuracies": {seed: run["accuracy"] for seed, run in sorted(runs.items())},
            **{name: first[name] for name in SAME},
            "updates": first["setting"]["updates"],
            "learning_rate": first["setting"]["learning_rate"],
            "chunk": first["protocol"]["chunk"],
            "tuned": bool(first["protocol"]["trials"]),
            "curves": [run["curve"] for _, run in sorted(runs.items())],
        }
        if len(runs) > 1:
            row |= spread([run["accuracy"] for run in runs.values()])
        others = found.get(BASELINE, {})
        shared = sorted(runs.keys() & others.keys())
        if contender != BASELINE and len(shared) > 1:
            row["difference"] = interval(
                [runs[seed]["accuracy"] - others[seed]["accuracy"] for seed in shared]
            )
        yield row


def _mean(runs: dict[int, Record]) -> float:
    return float(sum(run["accuracy"] for run in runs.values()) / len(runs))
