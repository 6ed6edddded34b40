"""Draw a soak: memory and latency over time."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

from tests.faults.soak.run import Soak

matplotlib.use("agg")

from matplotlib import pyplot as plt


def draw(outcome: Soak, path: Path) -> None:
    """Resident memory above, the p50 and p99 of chunks below."""
    figure, (memory, latency) = plt.subplots(2, 1, figsize=(8, 5), sharex=True)
    minutes = np.array(outcome.seconds) / 60
    memory.plot(minutes, outcome.memory, color="#c2410c")
    memory.set_ylim(bottom=0)
    memory.set_ylabel("resident MiB")
    latency.plot(minutes, outcome.p50, color="#64748b", label="p50")
    latency.plot(minutes, outcome.p99, color="#c2410c", label="p99")
    latency.set_ylim(bottom=0)
    latency.set(xlabel="minutes", ylabel="a chunk's answer, ms")
    latency.legend(fontsize=8)
    beside = f", {outcome.attacks['attacks']} attacks beside them" if outcome.attacks else ""
    memory.set_title(f"{outcome.streams} live streams{beside}", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    plt.close(figure)
