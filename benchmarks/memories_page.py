"""The tables and the picture of docs/memories.md, from committed results."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from matplotlib import pyplot as plt

from benchmarks.pictures import OURS, PEER
from benchmarks.server import ROOT
from benchmarks.tables import table
from larnn_export.families import FAMILIES
from larnn_export.questions import PUBLISHED
from larnn_export.tasks.commands import CONTENDERS

RESULTS = ROOT / "benchmarks" / "results"
PICTURE = ROOT / "docs" / "pictures" / "memories.png"
Record = dict[str, Any]


def families() -> str:
    """What a stream carries for each layer of a family, and the paper that has it."""
    lines = [[family.title, family.carries, family.source] for family in FAMILIES.values()]
    return table(["memory", "what a stream carries per layer", "paper"], lines)


def costs(record: Record) -> str:
    """Each family's accuracy on the test people, and what it costs."""
    right = _accuracies(record)
    head = ["memory", "accuracy", "seeds", "parameters", "multiply-adds / step", "state"]
    head += ["steps / CPU-s", "windows / s", "windows / CPU-s"]
    lines = [
        [
            _name(row),
            spread(right[row["family"]], "{:.2%}"),
            str(len(right[row["family"]])),
            f"{row['parameters']:,}",
            f"{row['macs_per_step']:,}",
            f"{row['state_bytes']:,} B",
            f"{row['steps_per_cpu_second']:,.0f}",
            f"{row['windows_per_second']:,.0f}",
            f"{row['windows_per_cpu_second']:,.0f}",
        ]
        for row in sorted(record["rows"], key=lambda row: -mean(right[row["family"]] or [0]))
    ]
    return table(head, lines)


def adding(results: list[Record]) -> str:
    """Updates until solved, of each length."""
    solved: dict[tuple[str, str], list[int | None]] = defaultdict(list)
    for result in results:
        update, _, error = result["curve"][-1]
        done = error < result["budget"]["stop_below"]
        solved[result["task"], result["family"]].append(update if done else None)
    most = results[0]["budget"]["updates"]
    lines = [
        [
            task,
            *(_until(solved[task, family], most) for family in CONTENDERS),
            str(len(solved[task, CONTENDERS[-1]])),
        ]
        for task in dict.fromkeys(task for task, _ in solved)
    ]
    titles = [FAMILIES[family].title for family in CONTENDERS]
    return table(["updates until the error is below 0.01", *titles, "seeds"], lines)


def accuracies(results: list[Record]) -> str:
    """The last point of each curve, which no choice was made by."""
    last: dict[str, list[float]] = defaultdict(list)
    for result in results:
        last[result["family"]].append(result["curve"][-1][2])
    first = results[0]
    lines = [
        [
            FAMILIES[family].title,
            f"{next(r['parameters'] for r in results if r['family'] == family):,}",
            spread(values, "{:.2%}"),
            str(len(values)),
        ]
        for family, values in last.items()
    ]
    head = f"accuracy after {first['budget']['updates']:,} updates, {first['tested']:,} of test"
    return table(["", "parameters", head, "seeds"], lines)


def draw(record: Record, path: Path = PICTURE) -> None:
    """Accuracy by windows per CPU-second; an area as large as the state."""
    right = _accuracies(record)
    figure, axes = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    for row in record["rows"]:
        values = right[row["family"]]
        if not values:
            continue
        x, y = row["windows_per_cpu_second"], 100 * mean(values)
        colour = OURS if row["family"] == PUBLISHED else PEER
        deviation = 100 * stdev(values) if len(values) > 1 else 0
        axes.errorbar(x, y, deviation, color=colour, capsize=3, lw=1)
        axes.scatter(x, y, s=row["state_bytes"] / 40 + 20, color=colour, alpha=0.5, lw=0)
        name = _name(row).split(", window")[0]
        axes.annotate(name, (x, y), xytext=(8, 6), textcoords="offset points", fontsize=9)
    axes.set(xscale="log", xlabel="windows per CPU-second of the service (log)")
    axes.set_ylabel("accuracy on nine unseen people, %")
    axes.set_title("What a memory earns and costs; area: bytes of state per stream", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e4e7eb", lw=0.8)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _name(row: Record) -> str:
    """Of a network and what runs it."""
    native = row["operator"] == "native"
    return FAMILIES[row["family"]].title + (", native operator" if native else "")


def spread(values: list[float], form: str) -> str:
    """Mean ± sample standard deviation."""
    if not values:
        return "–"
    text = form.format(mean(values))
    return f"{text} ± {form.format(stdev(values))}" if len(values) > 1 else text


def _until(updates: list[int | None], most: int) -> str:
    found = [update for update in updates if update is not None]
    missed = len(updates) - len(found)
    parts = [spread([float(update) for update in found], "{:,.0f}")] if found else []
    parts += [f"{missed} not within {most:,}"] if missed else []
    return ", ".join(parts) or "–"


def _accuracies(record: Record) -> dict[str, list[float]]:
    """Of the runs whose network is one that the record measured."""
    found: dict[str, list[float]] = {row["family"]: [] for row in record["rows"]}
    for result in json.loads((RESULTS / "memories_har.json").read_text()):
        found[result["family"]].append(result["accuracy"])
    return found
