"""Pictures of a run for the model card: learning curves and the confusion matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

TRAINING, VALIDATION, INK = "#8a94a6", "#0b6e99", "#1f2933"
CURVES_FILE, CONFUSION_FILE = "learning-curves.png", "confusion-matrix.png"


def draw_learning_curves(folds: dict[str, Any], path: Path) -> None:
    """Losses and held-out accuracy by epoch, a line for each fold, from folds.json."""
    figure, (losses, accuracies) = plt.subplots(1, 2, figsize=(8.4, 3.2), layout="constrained")
    for index, fold in enumerate(folds["folds"]):
        history = fold["history"]
        epochs = [epoch["epoch"] for epoch in history]
        for axes, field, colour, label in (
            (losses, "loss", TRAINING, "training"),
            (losses, "held_out_loss", VALIDATION, "held out, last step"),
            (accuracies, "accuracy", VALIDATION, "each of five folds"),
        ):
            values = [epoch[field] for epoch in history]
            axes.plot(epochs, values, color=colour, lw=1, label=None if index else label)
    accuracies.axhline(
        folds["accuracy"], color=INK, lw=1, ls=":", label=f"all people: {folds['accuracy']:.2%}"
    )
    losses.set(xlabel="epoch", ylabel="cross-entropy", title="Loss")
    losses.set_ylim(bottom=0)
    accuracies.set(xlabel="epoch", ylabel="accuracy", title="Accuracy on held-out people")
    accuracies.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    for axes in (losses, accuracies):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False)
        plain(axes)
        axes.grid(color="#e4e7eb", linewidth=0.8)
    save(figure, path)


def draw_confusion_matrix(evaluation: dict[str, Any], path: Path) -> None:
    """Counts, true by predicted; the shade is the share of the true class."""
    counts, labels = evaluation["confusion"], evaluation["labels"]
    names = [label.replace("_", " ").capitalize() for label in labels]
    shares = [[count / max(sum(row), 1) for count in row] for row in counts]
    figure, axes = plt.subplots(figsize=(6.4, 5.2), layout="constrained")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for true, row in enumerate(counts):
        for predicted, count in enumerate(row):
            light = shares[true][predicted] > 0.5
            axes.text(
                predicted,
                true,
                f"{count}" if count else "·",
                ha="center",
                va="center",
                color="white" if light else INK if count else "#9aa5b1",
            )
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.set(
        xlabel="predicted",
        ylabel="true",
        title=f"Test windows: {evaluation['correct']:,} of {evaluation['windows']:,} right "
        f"({evaluation['accuracy']:.2%})",
    )
    plain(axes)
    axes.tick_params(length=0)
    save(figure, path)


def plain(axes: Axes) -> None:
    """The house's look."""
    axes.spines[["top", "right"]].set_visible(False)
    for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
        text.set_color(INK)


def save(figure: Figure, path: Path) -> None:
    """The same drawing gives the same bytes: no version or date inside."""
    figure.savefig(path, dpi=120, facecolor="white", metadata={"Software": None})
    plt.close(figure)
