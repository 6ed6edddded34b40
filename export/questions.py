"""The paper's questions (arXiv 1808.05578, sections 3 and 4): what each part of the LARNN is worth.

Each variant changes one thing of the published network and trains five times by its recipe: with
another fifth of the training subjects held out, and another seed. A variant is compared with the
published network on the same folds, over the folds and over the people held out in them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from export import checkpoint
from export.data import Split
from export.evaluate import evaluate
from export.folds import fold_runs
from export.networks import NetworkConfig
from export.paired import interval, spread
from export.recipe import NETWORKS
from export.train import Trainer

Record = dict[str, Any]
HELD_OUT_FILE = "held-out.json"
PUBLISHED = "larnn"


@dataclass(frozen=True)
class Variant:
    """A preset, and what is changed of it."""

    what: str
    preset: str = "larnn"
    changes: Record = field(default_factory=dict)

    def config(self) -> NetworkConfig:
        fields = NETWORKS[self.preset].model_dump() | self.changes
        return NetworkConfig.model_validate(fields)


VARIANTS = {
    PUBLISHED: Variant("LARNN as published: 2 layers, k = 16, residual"),
    "lstm": Variant("LSTM", "lstm"),
    "bn-lstm": Variant("BN-LSTM", "bn-lstm"),
    "layer-mode": Variant("layer mode", changes={"mode": "layer"}),
    "encoding": Variant("with positional encoding", changes={"positional_encoding": True}),
    "plain-kv": Variant("no ELU on keys and values", changes={"activate_keys_values": False}),
    "layer-norm": Variant(
        "with layer norm, of keys and values too", changes={"normalisation": "layer"}
    ),
    **{f"k{k}": Variant(f"k = {k}", changes={"window_size": k}) for k in (1, 4, 8, 38, 64)},
    "one-layer": Variant(
        "1 layer, n = 68, 4 heads", changes={"layers": 1, "hidden_size": 68, "heads": 4}
    ),
    "three-layers": Variant("3 layers, n = 40", changes={"layers": 3, "hidden_size": 40}),
}


def finished(trainer: Trainer) -> bool:
    """Whether the run is there; CheckpointError where it is of another configuration."""
    if not (trainer.run / f"{checkpoint.FINISHED}.json").is_file():
        return False
    _, record = checkpoint.read(trainer.run, checkpoint.FINISHED)
    for key in ("network", "training"):
        if record[key] != trainer.record()[key]:
            raise checkpoint.CheckpointError(f"{trainer.run} has another {key}: {record[key]}")
    return True


def held_out_figures(folder: Path, train: Split) -> dict[int, Record]:
    """By fold what the variant's finished runs give on the people held out; measured once each."""
    found = {}
    for fold, (run, people) in enumerate(fold_runs(folder, train)):
        if not (run / f"{checkpoint.FINISHED}.json").is_file():
            continue
        if not (run / HELD_OUT_FILE).is_file():
            evaluate(run, train.of_subjects(people), HELD_OUT_FILE)
        found[fold] = json.loads((run / HELD_OUT_FILE).read_text())
    return found


def answers(runs: Path, train: Split) -> list[Record]:
    """A row for each variant with a finished run; differences where two folds are shared."""
    figures = {name: held_out_figures(runs / name, train) for name in VARIANTS}
    return [_row(name, figures[name], figures[PUBLISHED]) for name in VARIANTS if figures[name]]


def _row(name: str, mine: dict[int, Record], published: dict[int, Record]) -> Record:
    accuracies = {fold: each["accuracy"] for fold, each in mine.items()}
    row: Record = {"variant": name, "what": VARIANTS[name].what, "folds": accuracies}
    if len(accuracies) > 1:
        row |= spread([*accuracies.values()])
    shared = sorted(mine.keys() & published.keys())
    if name != PUBLISHED and len(shared) > 1:
        people = {
            person: share - published[fold]["per_subject"][person]
            for fold in shared
            for person, share in mine[fold]["per_subject"].items()
        }
        row["over_folds"] = interval([accuracies[f] - published[f]["accuracy"] for f in shared])
        row["over_people"] = interval([*people.values()])
    return row
