"""The model card: what a model is, how it was measured, on whose data, and where it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from export.data import DataInfo
from export.pictures import CONFUSION_FILE, CURVES_FILE
from service.contract import Manifest

CARD_FILE = "README.md"
PICTURES = {CURVES_FILE: "learning curves", CONFUSION_FILE: "confusion matrix"}


def write_card(folder: Path, manifest: Manifest, info: DataInfo, pictures: list[str]) -> None:
    """Write folder/README.md from the manifest and what is known of the data."""
    test = manifest.metrics["test"]
    measured = f"{len(test['per_subject'])} test subjects, {test['windows']:,} windows"
    network = "\n".join(f"| {name} | {value} |" for name, value in manifest.network.items())
    recalls = "\n".join(f"| {label} | {share:.1%} |" for label, share in test["per_class"].items())
    people = ", ".join(f"{who} {share:.1%}" for who, share in test["per_subject"].items())
    shown = "\n".join(f"![{PICTURES[name]}](checkpoint/{name})" for name in pictures)
    (folder / CARD_FILE).write_text(f"""\
# {manifest.name}, version {manifest.version}

{manifest.description}.

| | accuracy |
|---|---|
{_folds_row(manifest.metrics["folds"])}\
| {measured}, which chose nothing | {test["accuracy"]:.2%} |

| label | recall on the test subjects |
|---|---|
{recalls}

By test subject: {people}.

{shown}

## The network

| | |
|---|---|
{network}

The graph agrees with the network in torch within {manifest.metrics["parity"]["logits"]:.0e}
(logits) and {manifest.metrics["parity"]["state"]:.0e} (state) over ragged chunks that carry the
state on. `python -m export onnx` writes it again from `checkpoint/`.

## The data

{info.about}

## Limits

{info.limits}
""")


def _folds_row(folds: dict[str, Any] | None) -> str:
    if folds is None:
        return ""
    each = ", ".join(f"{accuracy:.1%}" for accuracy in folds["each"])
    return (
        "| the training subjects, each held out once in five folds, which chose the recipe | "
        f"{folds['accuracy']:.2%} ({each}) |\n"
    )
