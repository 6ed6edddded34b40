"""UCI HAR: six activities of 30 people from a phone at the waist, as raw inertial windows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larnn_export.data import downloads
from larnn_export.data.errors import DataError
from larnn_export.data.split import DataInfo, Split
from larnn_service.contract import Channel

CHANNELS = tuple(
    Channel(name=f"{sensor}_{axis}", unit=unit)
    for sensor, unit in (("body_acc", "g"), ("body_gyro", "rad/s"), ("total_acc", "g"))
    for axis in "xyz"
)
LABELS = (
    "WALKING",
    "WALKING_UPSTAIRS",
    "WALKING_DOWNSTAIRS",
    "SITTING",
    "STANDING",
    "LAYING",
)
SAMPLE_RATE_HZ = 50.0
TERMS = (
    'The READMEs inside UCI HAR and inside HAPT, its whole recordings, say: "Any commercial use is '
    'prohibited." Their pages in the UCI Machine Learning Repository are quoted with a licence of '
    "their own, CC BY 4.0. Both are told here as they stand; which of them holds, for the data and "
    "for what has learned from it, is not decided here."
)
INFO = DataInfo(
    title="six activities from nine inertial channels at 50 Hz",
    channels=CHANNELS,
    labels=LABELS,
    sample_rate_hz=SAMPLE_RATE_HZ,
    about="""\
Human Activity Recognition Using Smartphones, version 1.0: 30 people aged 19 to 48, a phone worn on
the waist, windows of 128 steps (2.56 s) at 50 Hz; 21 people to train on, nine others to test on.
Its README asks to cite Davide Anguita, Alessandro Ghio, Luca Oneto, Xavier Parra and Jorge L.
Reyes-Ortiz, *A Public Domain Dataset for Human Activity Recognition Using Smartphones*, ESANN 2013,
and says that the data comes as is.""",
    terms=TERMS,
    limits="""\
Six activities, one phone on the waist, one laboratory; other places of the phone and other devices
were not seen. Every answer is one of the six, in a transition from one to another too: there is no
"none of these".""",
)
STEPS = 128
"""Steps of a window: 2.56 s; neighbouring windows share half of them."""

FOLDER = "uci-har"
ENVIRONMENT = "LARNN_DATA"
DEFAULT_ROOT = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"


def data_root(path: Path | None = None) -> Path:
    """The folder that holds `uci-har`: the argument, else $LARNN_DATA, else ../shared/data."""
    return Path(path or os.environ.get(ENVIRONMENT) or DEFAULT_ROOT).resolve()


def split_file(name: str, path: Path | None = None) -> Path:
    """Of the "train" or "test" windows; DataError says where to get it when it is absent."""
    file = data_root(path) / FOLDER / f"uci_har_{name}.npz"
    if not file.is_file():
        raise DataError(
            f"{data_root(path)} has no UCI HAR. Get the data set 'Human Activity Recognition Using "
            "Smartphones' from the UCI Machine Learning Repository, and name its zip, or the "
            f"folder that was in it, with --data or {ENVIRONMENT}; docs/own-data.md tells how to "
            "describe other tables."
        )
    return file


def load_split(name: str, path: Path | None = None) -> Split:
    """The "train" (21 people) or "test" (9 others) windows; DataError when they are not there.

    `path` (else $LARNN_DATA, else ../shared/data) is the folder or the zip that the repository
    gives, or a folder that holds it, or one with the arrays of `split_file`.
    """
    root = data_root(path)
    if (found := downloads.uci_har(root, name)) is not None:
        return _checked(root, found)
    file = split_file(name, path)
    with np.load(file, allow_pickle=False) as arrays:
        missing = {"signals", "labels", "subject"} - set(arrays.files)
        if missing:
            raise DataError(f"{file} lacks the arrays {sorted(missing)}")
        return _checked(file, arrays)


def _checked(file: Path, arrays: Mapping[str, NDArray[Any]]) -> Split:
    split = Split(
        INFO,
        np.ascontiguousarray(arrays["signals"], dtype=np.float32),
        arrays["labels"].astype(np.int64),
        arrays["subject"].astype(np.int64),
    )
    _check(file, split)
    return split


def _check(file: Path, split: Split) -> None:
    windows = len(split)
    expected = (windows, STEPS, len(CHANNELS))
    if split.signals.shape != expected or split.subjects.shape != (windows,):
        raise DataError(
            f"{file}: signals {split.signals.shape} and subject {split.subjects.shape}; "
            f"{windows} labels ask for {expected} and {(windows,)}"
        )
    if not np.isfinite(split.signals).all():
        raise DataError(f"{file}: signals hold values that are not finite")
    if windows == 0 or not 0 <= split.labels.min() <= split.labels.max() < len(LABELS):
        raise DataError(f"{file}: labels must be from 0 to {len(LABELS) - 1}")
