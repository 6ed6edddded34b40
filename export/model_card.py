"""The model card: what a model is, how it was measured, on whose data, and where it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from export.pictures import CONFUSION_FILE, CURVES_FILE
from export.stream_pictures import PICTURE_FILE
from service.contract import Manifest

CARD_FILE = "README.md"
PICTURES = {
    CURVES_FILE: "learning curves",
    CONFUSION_FILE: "confusion matrix",
    PICTURE_FILE: "streams",
}
CITATION = """\
Human Activity Recognition Using Smartphones, version 1.0: 30 people aged 19 to 48, a phone worn on
the waist, windows of 128 steps (2.56 s) at 50 Hz; 21 people to train on, nine others to test on.
Its README asks to cite Davide Anguita, Alessandro Ghio, Luca Oneto, Xavier Parra and Jorge L.
Reyes-Ortiz, *A Public Domain Dataset for Human Activity Recognition Using Smartphones*, ESANN 2013,
and says that the data comes as is and that any commercial use is prohibited."""


def write_card(folder: Path, manifest: Manifest, pictures: list[str]) -> None:
    """Write folder/README.md from the manifest."""
    test = manifest.metrics["test"]
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
| nine test subjects, {test["windows"]:,} windows, which chose nothing | {test["accuracy"]:.2%} |

| activity | recall on the test subjects |
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
state on. `make export` writes it again from `checkpoint/`.

{_raw_section(manifest)}## The data

{CITATION}

## Limits

Six activities, one phone on the waist, one laboratory; transitions between activities, other places
of the phone and other devices were not seen. Every answer is one of the six: there is no "none of
these".
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


def _raw_section(manifest: Manifest) -> str:
    """What a model with the phone's filters in its graph asks of its user."""
    if not any(tensor.name.startswith("filters_") for tensor in manifest.contract.state):
        return ""
    return """\
## From raw sensors

The graph starts with the four causal filters that made the data set's nine channels of the phone's
six, their states among the stream's state: a median of three, low-passes at 20 Hz, 0.3 Hz (gravity)
and 0.1 Hz (drift). They are float64. The median looks one sample ahead, so the answer at step t
describes step t-1. The filters start at rest and need about five seconds until gravity has settled:
this model is for streams; a window of 2.56 s by itself is better classified by the model that takes
filtered channels. The figures above are of windows cut from recordings that were filtered from end
to end, as a stream is.

"""


def _folds_row(folds: dict[str, Any] | None) -> str:
    if folds is None:
        return ""
    each = ", ".join(f"{accuracy:.1%}" for accuracy in folds["each"])
    return (
        "| the 21 training subjects, each held out once in five folds, which chose the recipe | "
        f"{folds['accuracy']:.2%} ({each}) |\n"
    )
