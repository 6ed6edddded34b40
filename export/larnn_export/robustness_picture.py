"""The picture of the robustness table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.ticker import PercentFormatter

from larnn_export.pictures import INK, TRAINING, VALIDATION, plain, save

ROBUSTNESS_PICTURE = "robustness.png"


def draw_robustness(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Write FOLDER/robustness.png: the rows that have a right answer, as bars."""
    shown = [row for row in rows if row["as_it_comes"]["accuracy"] is not None][::-1]
    figure, axes = plt.subplots(figsize=(8.4, 0.42 * len(shown) + 1.1), layout="constrained")
    places = range(len(shown))
    told = [row["told"] for row in shown]
    axes.barh(
        [place + 0.2 for place in places],
        [row["as_it_comes"]["accuracy"] for row in shown],
        0.38,
        color=TRAINING,
        label="as it comes",
    )
    axes.barh(
        [place - 0.2 for place in places],
        [0.0 if one is None else one["accuracy"] for one in told],
        0.38,
        color=VALIDATION,
        label="told",
    )
    axes.set_yticks(places, [row["row"] for row in shown], color=INK)
    axes.set(title="Steps answered right", xlim=(0, 1))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=2)
    plain(axes)
    save(figure, folder / ROBUSTNESS_PICTURE)
