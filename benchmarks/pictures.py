"""Draw what the commands measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

OURS, PEER, OTHER = "#c2410c", "#64748b", "#cbd5e1"


def serve(record: dict[str, Any], path: Path) -> None:
    """Requests per second and per CPU-second of the servers, by the number of connections."""
    rows = record["rows"]
    counts = sorted({row["connections"] for row in rows})
    servers = list(dict.fromkeys(row["server"] for row in rows))[::-1]
    figures = {
        "requests/s": "requests_per_second",
        "requests per CPU-second": "requests_per_cpu_second",
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


def _bars(axis: Axes, rows: list[dict[str, Any]], servers: list[str], field: str) -> None:
    for shift, body, strength in ((-0.2, "JSON", 0.5), (0.2, "binary", 1.0)):
        found = {row["server"]: row[field] for row in rows if row["body"] == body}
        places = np.array([servers.index(name) for name in found])
        colours = [OURS if name == "ours" else PEER for name in found]
        if found:
            axis.barh(places - shift, list(found.values()), 0.38, color=colours, alpha=strength)
    axis.set_yticks(range(len(servers)), servers, fontsize=8)
    axis.tick_params(axis="x", labelsize=8)
    axis.set_xlim(left=0)
