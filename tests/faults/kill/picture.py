"""The picture of docs/reliability.md: how long streams waited after each fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot as plt

from benchmarks.pictures import OURS, PEER, save
from benchmarks.published.faults import FAULTS

COLOURS = {"kill": OURS, "pause": "#7c3aed"}
OF_THE_STORE = "#0f766e"


def draw(record: dict[str, Any], waits: list[dict[str, Any]], path: Path) -> None:
    """Each stream's time to its next answer after each fault, over the time of the run."""
    figure, axis = plt.subplots(figsize=(11, 4.2))
    for fault in waits:
        mine = COLOURS.get(fault["kind"], OF_THE_STORE)
        for field, colour, shift in (("others_s", PEER, -0.7), ("resumed_s", None, 0.7)):
            times = fault[field]
            spread = np.linspace(-0.5, 0.5, len(times)) + shift + fault["at_s"]
            axis.plot(spread, times, ".", color=colour or mine, markersize=2)
    for kind in dict.fromkeys(fault["kind"] for fault in waits):
        colour = COLOURS.get(kind, OF_THE_STORE)
        axis.plot([], [], "o", color=colour, label=f"{FAULTS[kind]}: streams that resumed")
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
    save(figure, path)
