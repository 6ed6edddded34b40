"""The model card: what a model is, how it was measured, on whose data, and where it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from export.data import DataInfo
from export.pictures import CONFUSION_FILE, CURVES_FILE
from export.stream_pictures import PICTURE_FILE
from service.contract import Manifest

CARD_FILE = "README.md"
PICTURES = {
    CURVES_FILE: "learning curves",
    CONFUSION_FILE: "confusion matrix",
    PICTURE_FILE: "streams",
}


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

{_streams_section(manifest.metrics.get("streams"))}\
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


def _streams_section(streams: dict[str, Any] | None) -> str:
    """Whole recordings, one stream each."""
    if streams is None:
        return ""
    delay, windowed = streams["delay"], streams["windowed_accuracy"]
    slope = streams["points_a_minute_against_windowed"]
    calibration, sure = streams["calibration_error"], streams["confidence"]
    return f"""\
## In live streams

The test subjects' {streams["recordings"]} whole recordings, one stream each from its first step to
its last; {streams["steps"]:,} steps belong to one of the activities.

| | |
|---|---|
| steps answered right | {streams["accuracy"]:.2%} |
| macro F1 | {streams["macro_f1"]:.3f} |
| the same network on windows of 128 steps, every 64 | {windowed:.2%} |
| from an activity's start to the first right answer that holds half a second, median | \
{delay["median_seconds"]:.2f} s |
| nine of ten within | {delay["ninth_decile_seconds"]:.2f} s |
| activities never answered right for so long | {delay["never"]} of {delay["activities"]} |
| drift against the windowed way, points a minute, 95% over people | \
{slope["slope"]:+.2f} ({slope["low"]:+.2f} to {slope["high"]:+.2f}) |
| expected calibration error | {calibration["as_trained"]:.3f}, with temperature \
{streams["temperature"]:.2f} {calibration["with_temperature"]:.3f} |
| mean confidence in activities, elsewhere | \
{sure["in_activities"]:.2f}, {sure["elsewhere"]:.2f} |

"""


def _folds_row(folds: dict[str, Any] | None) -> str:
    if folds is None:
        return ""
    each = ", ".join(f"{accuracy:.1%}" for accuracy in folds["each"])
    return (
        "| the training subjects, each held out once in five folds, which chose the recipe | "
        f"{folds['accuracy']:.2%} ({each}) |\n"
    )
