"""The tables of training: of docs/runs.csv, whose rows are runs and the commands that make them."""

from __future__ import annotations

import csv
import json
import re
import shlex
from collections.abc import Iterable

from benchmarks.server import ROOT
from benchmarks.tables import Record, Renderer, Row, specified, spread
from larnn_export.families import FAMILIES
from larnn_export.networks import RecurrentClassifier
from larnn_export.robustness_card import table as robustness_table
from larnn_export.training_command import configured

STREAMS = {
    "larnn-windows-s0": "larnn-windows-s0, of windows alone",
    "larnn-har-s0": "larnn-har-s0, which is bundled",
    "larnn-wide-har-s0": "earlier recipe, of windows alone",
    "larnn-wide-live": "earlier recipe, two epochs of streams",
}
TRAINED = {
    "larnn-windows": ("LARNN, 2 layers, n 48, h 8, k 16, of windows", "larnn"),
    "larnn-har": ("then of streams too (bundled: seed 0)", "larnn-har-folds"),
    "lstm-long": ("LSTM of about the same parameter count, n 64, of windows", "lstm"),
    "larnn-wide-har": ("earlier recipe: LARNN, n 64", "larnn-wide-folds"),
    "lstm-earlier-har": ("LSTM, n 64", "lstm-earlier-folds"),
    "lstm-wide-har": ("LSTM, n 94", ""),
    "gru-wide-har": ("GRU, n 107", "gru-wide-folds"),
}
"""What a recipe is called, and the run of its folds: of runs.csv, or a variant of `questions`."""


def _streams(record: Record) -> Iterable[Row]:
    return [record["runs"][run] | {"title": title} for run, title in STREAMS.items()]


def _trained(record: Record) -> Iterable[Row]:
    for recipe, (title, folds) in TRAINED.items():
        runs = [row for run, row in record["runs"].items() if re.fullmatch(f"{recipe}-s\\d+", run)]
        words = shlex.split(runs[0]["command"], comments=True)
        pairs = list(zip(words[5::2], words[6::2], strict=True))
        preset = FAMILIES[dict(pairs)["--preset"]].preset
        config = configured(preset, [value for name, value in pairs if name == "-n"])
        network = RecurrentClassifier(config)
        yield {
            "title": title,
            "parameters": sum(each.numel() for each in network.parameters()),
            "folds": record["folds"].get(folds, "not measured"),
            "test": _spread([row["test"] for row in runs], record["windows"]),
            "seeds": len(runs),
            "first": runs[0]["test"],
        }


def _spread(shares: list[str], windows: int) -> str:
    """Of so many windows each; a share that was rounded to two places is one of a count again."""
    exact = [round(float(share.rstrip("%")) / 100 * windows) / windows for share in shares]
    return spread([100 * share for share in exact], "{:.2f}") + "%"


def trained() -> Record:
    """The runs of docs/runs.csv by name; the held-out accuracy of each recipe, of runs.csv over all
    windows and of `questions` as the mean over folds; and how many windows the test set has."""
    with (ROOT / "docs/runs.csv").open(newline="") as file:
        runs = {row["run"]: row for row in csv.DictReader(file)}
    variants = json.loads((ROOT / "benchmarks/results/questions.json").read_text())["rows"]
    means = {row["variant"]: f"{row['mean']:.2%}" for row in variants if "mean" in row}
    folds = means | {run: row["folds"] for run, row in runs.items() if row["folds"]}
    manifest = json.loads((ROOT / "models/larnn-har/1/model.json").read_text())
    windows = manifest["metrics"]["test"]["windows"]
    return {"runs": runs, "folds": folds, "windows": windows}


TABLES: dict[str, Renderer] = {
    "robustness": lambda record: robustness_table(record["rows"]) + "\n",
    "of_streams": specified(
        "network, seed 0 | one stream a recording | UCI HAR's test windows",
        "{title} | {streams} | {test}",
        _streams,
    ),
    "trained": specified(
        "network, 128 steps of UCI HAR | parameters | folds of the training subjects | "
        "nine test subjects",
        "{title} | {parameters:,} | {folds} | {test} ({seeds} seeds; seed 0: {first})",
        _trained,
    ),
}
