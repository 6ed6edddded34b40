"""Pictures of what the commands measured."""

from __future__ import annotations

from pathlib import Path
from statistics import mean, stdev
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.published.networks import title_of
from larnn_export.questions import PUBLISHED

OURS, PLAIN, ONE, PEER = "#c2410c", "#be185d", "#a16207", "#64748b"
COLOURS = {"ours": OURS, "ours, no operator": PLAIN, "ours, one process": ONE}
LINES = {
    "ours binary": OURS,
    "ours JSON": "#fb923c",
    "ours, no operator": PLAIN,
    "ours, one process": ONE,
    "triton": PEER,
}


def serve(record: dict[str, Any], path: Path) -> None:
    """Requests per second and per CPU-second of the servers, by the number of connections."""
    rows = record["rows"]
    counts = sorted({row["connections"] for row in rows})
    servers = list(dict.fromkeys(row["server"] for row in rows))[::-1]
    figures = {
        "requests/s": "per_second",
        "requests per CPU-second": "per_cpu_second",
        "p99, ms": "p99_ms",
    }
    figure, axes = plt.subplots(
        len(counts), len(figures), figsize=(12, 1 + 2.6 * len(counts)), squeeze=False
    )
    for line, count in zip(axes, counts, strict=True):
        for axis, (title, field) in zip(line, figures.items(), strict=True):
            _bars(axis, [row for row in rows if row["connections"] == count], servers, field)
            axis.set_title(f"{title}, {count} connection{'s' * (count > 1)}", fontsize=9)
    figure.suptitle("One window a request, one LSTM for all. Dark: binary body, light: JSON")
    save(figure, path)


def stream(record: dict[str, Any], path: Path) -> None:
    """Chunks per second and p99 by the number of streams, for each model and size of chunk."""
    rows = record["rows"]
    models = list(dict.fromkeys(row["model"] for row in rows))
    sizes = sorted({row["steps"] for row in rows})
    figure, axes = plt.subplots(
        2 * len(models), len(sizes), figsize=(12, 5 * len(models)), squeeze=False, sharex=True
    )
    for index, (model, field) in enumerate(
        (model, field) for model in models for field in ("per_second", "p99_ms")
    ):
        for axis, steps in zip(axes[index], sizes, strict=True):
            mine = [row for row in rows if row["model"] == model and row["steps"] == steps]
            for server, colour in LINES.items():
                points = [(row["streams"], row[field]) for row in mine if row["server"] == server]
                if points:
                    axis.plot(*zip(*points, strict=True), "o-", color=colour, label=server)
            title = "chunks/s" if field == "per_second" else "p99, ms"
            axis.set_title(f"{model}, {steps} steps a chunk: {title}", fontsize=9)
            axis.set_xscale("log")
            axis.set_yscale("linear" if field == "per_second" else "log")
    axes[-1][0].legend(fontsize=8)  # the stand-in's, which all can run
    figure.supxlabel("streams")
    save(figure, path)


def _bars(axis: Axes, rows: list[dict[str, Any]], servers: list[str], field: str) -> None:
    for shift, body, strength in ((-0.2, "JSON", 0.5), (0.2, "binary", 1.0)):
        found = {row["server"]: row[field] for row in rows if row["body"] == body}
        places = np.array([servers.index(name) for name in found])
        colours = [COLOURS.get(name, PEER) for name in found]
        if found:
            axis.barh(places - shift, list(found.values()), 0.38, color=colours, alpha=strength)
    axis.set_yticks(range(len(servers)), servers, fontsize=8)
    axis.tick_params(axis="x", labelsize=8)
    axis.set_xlim(left=0)


def scaling(record: dict[str, Any], path: Path) -> None:
    """CPU time over each of the sizes, and the exponent of its growth."""
    lines = record["lines"]
    figure, every = plt.subplots(1, len(lines), figsize=(3 * len(lines), 3))
    for axis, line in zip(every, lines, strict=True):
        axis.loglog(line["sizes"], line["ms"], "o-", color="#0b6e99")
        axis.set(xlabel=line["axis"], ylabel="CPU ms of a run", title=f"slope {line['slope']:.2f}")
        axis.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def memories(record: dict[str, Any], path: Path) -> None:
    """Accuracy by windows per CPU-second; an area as large as the state."""
    figure, axis = plt.subplots(figsize=(7.2, 4.2))
    for row in record["rows"]:
        values = row["accuracies"]
        if not values:
            continue
        x, y = row["windows_per_cpu_second"], 100 * mean(values)
        colour = OURS if row["family"] == PUBLISHED else PEER
        deviation = 100 * stdev(values) if len(values) > 1 else 0
        axis.errorbar(x, y, deviation, color=colour, capsize=3, lw=1)
        axis.scatter(x, y, s=row["state_bytes"] / 40 + 20, color=colour, alpha=0.5, lw=0)
        name = title_of(row).split(", window")[0]
        axis.annotate(name, (x, y), xytext=(8, 6), textcoords="offset points", fontsize=9)
    axis.set(xscale="log", xlabel="windows per CPU-second of the service (log)")
    axis.set_ylabel("accuracy on nine unseen people, %")
    axis.set_title("What a memory earns and costs; area: bytes of state per stream", fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(color="#e4e7eb", lw=0.8)
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Without the program's version, so that the same figures give the same file."""
    figure.tight_layout()
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)
