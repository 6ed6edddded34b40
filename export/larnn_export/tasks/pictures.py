"""The learning curves of a race: a panel for each task, a line for each seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt

from larnn_export.pictures import INK, TRAINING, VALIDATION, plain, save

COLOURS = (TRAINING, VALIDATION)
"""Of the two that race, the baseline first."""


def draw_race(results: list[dict[str, Any]], path: Path) -> None:
    """What is measured, by update."""
    colours = dict(zip(dict.fromkeys(r["family"] for r in results), COLOURS, strict=False))
    tasks = list(dict.fromkeys(result["task"] for result in results))
    figure, panels = plt.subplots(
        1, len(tasks), figsize=(4.2 * max(len(tasks), 1), 3.2), layout="constrained", squeeze=False
    )
    for axes, task in zip(panels[0], tasks, strict=True):
        labelled = set()
        for result in (each for each in results if each["task"] == task):
            family = result["family"]
            updates, _, measured = zip(*result["curve"], strict=True)
            label = None if family in labelled else family.upper()
            labelled.add(family)
            axes.plot(updates, measured, color=colours[family], lw=1.2, label=label)
        error = results[0]["measured"] == "error"
        if error:
            axes.set_yscale("log")
            if (goal := results[0]["budget"]["stop_below"]) is not None:
                axes.axhline(goal, color=INK, lw=0.8, ls=":")
        axes.set(xlabel="updates", ylabel="squared error" if error else "accuracy", title=task)
        axes.legend(frameon=False)
        plain(axes)
    save(figure, path)
