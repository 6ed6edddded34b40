"""Draw what the commands measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

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
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


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
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def kill(record: dict[str, Any], path: Path) -> None:
    """Each stream's time to its next answer after each fault, over the time of the run."""
    kinds = {"kill": "replica killed", "pause": "replica paused", "store": "store restarted"}
    colours = {"kill": OURS, "pause": "#7c3aed", "store": "#0f766e"}
    figure, axis = plt.subplots(figsize=(11, 4.2))
    for fault in record["faults"]:
        for field, colour, shift in (("others_s", PEER, -0.7), ("resumed_s", None, 0.7)):
            times = fault[field]
            spread = np.linspace(-0.5, 0.5, len(times)) + shift + fault["at_s"]
            axis.plot(spread, times, ".", color=colour or colours[fault["kind"]], markersize=2)
    for kind, text in kinds.items():
        axis.plot([], [], "o", color=colours[kind], label=f"{text}: streams that resumed")
    axis.plot([], [], "o", color=PEER, label="streams that did not have to")
    axis.set_yscale("log")
    axis.set_xlabel("seconds of the run")
    axis.set_ylabel("seconds to the next answer")
    every = record["chunk"] / record["hz"]
    axis.set_title(
        f"{record['streams']} live streams, a chunk each every {every:g} s; "
        f"{record['verdict']['steps']:,} steps, {record['verdict']['lost']} lost, "
        f"{record['verdict']['twice']} counted twice",
        fontsize=10,
    )
    axis.legend(fontsize=8, loc="upper center", ncols=2, bbox_to_anchor=(0.5, -0.15))
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)


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
