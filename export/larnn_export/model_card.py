"""The model card: what a model is, how it was made and measured, on whose data, where it ends.

It is made of what lies in a version's folder, so that it can be written again.
"""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import fill
from typing import Any

from larnn_export import checkpoint
from larnn_export.data import DataInfo, hapt
from larnn_export.data.uci_har import INFO
from larnn_export.families import configure
from larnn_export.manifests import read_manifest
from larnn_export.novelty.card import novelty_section
from larnn_export.novelty.stored import NOVELTY_FILE
from larnn_export.pictures import CONFUSION_FILE, CURVES_FILE
from larnn_export.placing import CARD_FILE, CHECKPOINT_FOLDER
from larnn_export.recipe import TrainConfig
from larnn_export.robustness import ROBUSTNESS_FILE
from larnn_export.robustness_card import robustness_section
from larnn_export.runs_table import command_of
from larnn_export.stream_card import streams_section
from larnn_export.stream_pictures import PICTURE_FILE
from larnn_service.contract import Manifest

PICTURES = {
    CURVES_FILE: "learning curves",
    CONFUSION_FILE: "confusion matrix",
    PICTURE_FILE: "streams",
}
ON_STREAMS = """\
Beside each batch {rows} rows were streams: whole recordings of these people, their state carried
on. Transitions between activities were in them and taught nothing: only steps that belong to an
activity count in the loss. That streams are trained on was decided after the recordings of UCI
HAR's test subjects had been measured with a LARNN that knew windows alone."""
OF_HAR = """\
UCI HAR's test subjects took part in the recipe, which was made for the LARNN."""
DIAGNOSED = """\
Long training, and cells that start with long memories and couple their gates, answer a diagnosis of
it, sitting taken for standing, made on them as well."""


def write_card(version: Path, models: Path) -> Path:
    """Write VERSION/README.md, give its path. `models` holds what it may have started from."""
    file = version / CARD_FILE
    file.write_text(card(version, models), encoding="utf-8")
    return file


def card(version: Path, models: Path) -> str:
    """The card of a published run. Raises OSError and ValueError where the folder is none."""
    manifest, kept = read_manifest(version), version / CHECKPOINT_FOLDER
    record = json.loads((kept / f"{checkpoint.FINISHED}.json").read_text())
    info, test = _info(manifest, record), manifest.metrics["test"]
    people = f"the test set: {len(test['per_subject'])} people, {test['windows']:,} windows"
    of_har = checkpoint.data_info(record) == INFO
    chose = "who took part in the recipe, see Training" if of_har else "which chose nothing"
    network = _rows(configure(manifest.network).in_use())
    recalls = _rows({label: f"{share:.1%}" for label, share in test["per_class"].items()})
    each = ", ".join(f"{who} {share:.1%}" for who, share in test["per_subject"].items())
    shown = "\n".join(
        f"![{what}]({CHECKPOINT_FOLDER}/{name})"
        for name, what in PICTURES.items()
        if (kept / name).is_file()
    )
    return f"""\
# {manifest.name}, version {manifest.version}

{manifest.description}.

| | accuracy |
|---|---|
{_folds_row(manifest.metrics["folds"])}\
| {people}, {chose} | {test["accuracy"]:.2%} |

| label | recall on the test set |
|---|---|
{recalls}

By person: {each}.

{shown}

{_from_rest(test.get("from_rest"))}{streams_section(manifest.metrics.get("streams"))}\
{robustness_section(checkpoint.figures(kept, ROBUSTNESS_FILE))}\
{novelty_section(checkpoint.figures(kept, NOVELTY_FILE))}\
## The network

| | |
|---|---|
{network}

The graph agrees with the network in torch within {manifest.metrics["parity"]["logits"]:.0e}
(logits) and {manifest.metrics["parity"]["state"]:.0e} (state) over ragged chunks that carry the
state on. {_again(manifest, record, kept)}

## Training

{_training(record, models)}

## The data

{info.about}{_of_recordings(manifest, info)}

{terms_section(manifest)}\
## Limits

{info.limits}
"""


def _from_rest(found: dict[str, Any] | None) -> str:
    """Of a network behind filters: windows by themselves, and how a stream begins."""
    if found is None:
        return ""
    spans = "\n".join(
        f"| {span} | {'–' if share is None else f'{share:.1%}'} |"
        for span, share in found["since_start"].items()
    )
    return f"""\
## Filters that begin at rest

The windows above were cut from recordings that were filtered from end to end. A raw window by
itself, whose filters begin at rest, is answered right in {found["accuracy"]:.2%} of the cases. A
stream that begins where the windows do, by the time since its start:

| since the start | steps answered right |
|---|---|
{spans}

"""


def terms_section(manifest: Manifest) -> str:
    """The terms of the data, where the manifest tells them."""
    if not manifest.data_terms:
        return ""
    return f"### Its terms\n\n{fill(manifest.data_terms, 100)}\n\n"


def _info(manifest: Manifest, record: dict[str, Any]) -> DataInfo:
    raw = manifest.contract.input.channels == hapt.RAW_CHANNELS
    return hapt.RAW_INFO if raw else checkpoint.data_info(record)


def _rows(values: dict[str, Any]) -> str:
    return "\n".join(f"| {name} | {value} |" for name, value in values.items())


def _folds_row(folds: dict[str, Any] | None) -> str:
    if folds is None:
        return ""
    each = ", ".join(f"{accuracy:.1%}" for accuracy in folds["each"])
    return (
        "| the training subjects, each held out once in five folds of the same recipe | "
        f"{folds['accuracy']:.2%} ({each}) |\n"
    )


def _again(manifest: Manifest, record: dict[str, Any], kept: Path) -> str:
    """What writes the graph again."""
    if not (kept / f"{checkpoint.FINISHED}.safetensors").is_file():
        name = f"{manifest.name}-s{record['training']['seed']}"
        command = command_of("train", name, record)
        return f"The weights are in the graph alone;\n`{command}` trains them again."
    folder = f"models/{manifest.name}/{manifest.version}/{CHECKPOINT_FOLDER}"
    raw = " --raw" if manifest.contract.input.channels == hapt.RAW_CHANNELS else ""
    return f"From its weights\n`python -m export onnx {folder}{raw}` writes it again."


def _training(record: dict[str, Any], models: Path) -> str:
    recipe = TrainConfig.model_validate({**record["training"], "held_out": ()})
    epochs = "1 epoch" if recipe.epochs == 1 else f"{recipe.epochs} epochs"
    lines = [f"{epochs} of the training subjects' windows, {recipe.batch_size} a batch."]
    if start := record.get("started_from"):
        lines.append(f"It began with the weights of {_published(start, models)}.")
    if recipe.streams:
        lines.append(ON_STREAMS.format(rows=recipe.streams))
    if checkpoint.data_info(record) == INFO:
        lines.append(OF_HAR)
        if record["network"]["family"] == "larnn":
            lines.append(DIAGNOSED)
    return "\n".join(lines)


def _published(digest: str, models: Path) -> str:
    """Whose weights these are."""
    for file in sorted(models.glob(f"*/*/{CHECKPOINT_FOLDER}/{checkpoint.FINISHED}.json")):
        if json.loads(file.read_text())["tensors_sha256"] == digest:
            version = file.parent.parent
            return f"{version.parent.name}, version {version.name}"
    return f"the run whose tensors_sha256 is {digest[:12]}"


def _of_recordings(manifest: Manifest, info: DataInfo) -> str:
    """Whose the whole recordings are, where streams of windows' people were measured."""
    measured = manifest.metrics.get("streams") and info == INFO
    return f"\n\n{hapt.ABOUT}" if measured else ""
