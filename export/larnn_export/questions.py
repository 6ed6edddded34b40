"""The paper's questions (arXiv 1808.05578, sections 3 and 4): what each part of the LARNN is worth.

Each variant changes one thing of the published network and trains five times by its recipe: with
another fifth of the training subjects held out, and another seed. A variant is compared with the
published network on the same folds: over the folds, corrected for what their trainings share, and
over the people held out in them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from larnn_export import checkpoint
from larnn_export.data import Split
from larnn_export.evaluate import evaluate
from larnn_export.identity import require_same
from larnn_export.networks import NetworkConfig
from larnn_export.paired import interval, spread
from larnn_export.recipe import FOLDS, TrainConfig

Record = dict[str, Any]
HELD_OUT_FILE = "held-out.json"
PUBLISHED = "larnn"


@dataclass(frozen=True)
class Variant:
    """A preset, and what is changed of it, as `train --network` takes it."""

    what: str
    preset: str = "larnn"
    changes: tuple[str, ...] = ()


VARIANTS = {
    PUBLISHED: Variant("LARNN as published: 2 layers, k = 16, residual"),
    "lstm": Variant("LSTM", "lstm"),
    "bn-lstm": Variant("BN-LSTM", "bn-lstm"),
    "layer-mode": Variant("layer mode", changes=("mode=layer",)),
    "encoding": Variant("with positional encoding", changes=("positional_encoding=true",)),
    "plain-kv": Variant("no ELU on keys and values", changes=("activate_keys_values=false",)),
    "layer-norm": Variant(
        "with layer norm, of keys and values too", changes=("normalisation=layer",)
    ),
    **{f"k{k}": Variant(f"k = {k}", changes=(f"window_size={k}",)) for k in (1, 4, 8, 38, 64)},
    "one-layer": Variant(
        "1 layer, n = 68, 4 heads", changes=("layers=1", "hidden_size=68", "heads=4")
    ),
    "three-layers": Variant("3 layers, n = 40", changes=("layers=3", "hidden_size=40")),
}


@dataclass(frozen=True)
class Asked:
    """One run: of a variant, with a fold's people held out."""

    run: Path
    network: NetworkConfig
    training: TrainConfig

    def finished(self) -> bool:
        """Whether the run is there; CheckpointError where it is another than this one."""
        if not (self.run / f"{checkpoint.FINISHED}.json").is_file():
            return False
        configurations = {
            "network": self.network.model_dump(mode="json"),
            "training": self.training.model_dump(mode="json"),
        }
        require_same(self.run, checkpoint.read(self.run, checkpoint.FINISHED)[1], configurations)
        return True

    def figures(self, train: Split) -> Record:
        """What it gives on the people held out, measured once for its weights."""
        _, record = checkpoint.read(self.run, checkpoint.FINISHED)
        file = self.run / HELD_OUT_FILE
        found: Record = json.loads(file.read_text()) if file.is_file() else {}
        if found.get("tensors_sha256") == record["tensors_sha256"]:
            return found
        return evaluate(self.run, train.of_subjects(self.training.held_out), HELD_OUT_FILE)


def answers(asked: dict[str, list[Asked]], train: Split) -> list[Record]:
    """A row for each variant with a finished run; differences where two folds are shared."""
    figures = {
        name: {fold: each.figures(train) for fold, each in enumerate(runs) if each.finished()}
        for name, runs in asked.items()
    }
    return [_row(name, figures[name], figures[PUBLISHED]) for name in asked if figures[name]]


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
        gained = [accuracies[fold] - published[fold]["accuracy"] for fold in shared]
        row["over_folds"] = interval(gained, 1 / (FOLDS - 1))
        row["over_people"] = interval([*people.values()])
    return row
