"""HAPT: the whole recordings that UCI HAR's windows were cut from, as a phone gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larnn_export.data import DataError, Split, downloads
from larnn_export.data.uci_har import (
    ENVIRONMENT,
    INFO,
    LABELS,
    STEPS,
    data_root,
    split_file,
)
from larnn_export.networks.phone_filters import filter_recording
from larnn_service.contract import Channel

RAW_CHANNELS = tuple(
    Channel(name=f"{sensor}_{axis}", unit=unit)
    for sensor, unit in (("acc", "g"), ("gyro", "rad/s"))
    for axis in "xyz"
)
TEST_SUBJECTS = (2, 4, 9, 10, 12, 13, 18, 20, 24)
ABOUT = """\
The whole recordings are those of Smartphone-Based Recognition of Human Activities and Postural
Transitions, version 2.1: 61 sessions of the same 30 people, as the phone gave them. Its README asks
to cite Jorge-L. Reyes-Ortiz, Luca Oneto, Albert Samà, Xavier Parra and Davide Anguita,
*Transition-Aware Human Activity Recognition Using Smartphones*, Neurocomputing, Springer 2015, and
says that the data comes as is."""
RAW_INFO = INFO.model_copy(
    update={
        "title": "six activities from a phone's six raw channels at 50 Hz",
        "channels": RAW_CHANNELS,
        "about": f"{INFO.about}\n\n{ABOUT}",
        "limits": f"""{INFO.limits}

The graph starts with the four causal filters that made the data set's nine channels of the phone's
six, their states among the stream's state: a median of three, low-passes at 20 Hz, 0.3 Hz (gravity)
and 0.1 Hz (drift). They are float64. The median looks one sample ahead, so the answer at step t
describes step t-1. The filters start at rest and need about five seconds until gravity has settled:
a window of 2.56 s by itself is better classified by the model that takes filtered channels. The
test windows were cut from recordings that were filtered from end to end, as a stream is.""",
    }
)
NO_ACTIVITY, TRANSITION = -1, -2
"""The labels of steps that nobody labelled, and of those in a labelled transition."""

FILE = Path("hapt") / "hapt_raw.npz"


@dataclass(frozen=True)
class Recording:
    """One person's session, without a gap."""

    experiment: int  # 1 to 61
    subject: int  # 1 to 30
    signals: NDArray[np.float32]  # [steps, 6] in the units of RAW_CHANNELS
    labels: NDArray[np.int64]  # [steps], an index into LABELS, NO_ACTIVITY or TRANSITION


def load_recordings(path: Path | None = None) -> list[Recording]:
    """All 61 recordings in order; DataError when they are not there.

    `path` (else $LARNN_DATA, else ../shared/data) is the folder or the zip that the repository
    gives, or a folder that holds it, or one with hapt/hapt_raw.npz: the same arrays.
    """
    root = data_root(path)
    if (found := downloads.hapt(root)) is not None:
        return _recordings(found)
    file = root / FILE
    if not file.is_file():
        raise DataError(
            f"{root} has no HAPT. Get the data set 'Smartphone-Based Recognition of Human "
            "Activities and Postural Transitions' from the UCI Machine Learning Repository, and "
            f"name its zip, or the folder that was in it, with --data or {ENVIRONMENT}."
        )
    with np.load(file, allow_pickle=False) as arrays:
        return _recordings(arrays)


def _recordings(arrays: Mapping[str, NDArray[Any]]) -> list[Recording]:
    names = sorted(name for name in arrays if name.startswith("exp"))
    segments = arrays["labels"]
    return [_recording(name, arrays[name], segments) for name in names]


@dataclass(frozen=True)
class Places:
    """Where each window of a split was cut from."""

    experiments: NDArray[np.int64]  # [windows]
    starts: NDArray[np.int64]  # [windows], the first step, counted from 0


def load_places(name: str, path: Path | None = None) -> Places:
    """Of the "train" or "test" windows, in their order; DataError where the file lacks them."""
    file = split_file(name, path)
    with np.load(file, allow_pickle=False) as arrays:
        missing = {"recording", "start"} - set(arrays.files)
        if missing:
            raise DataError(f"{file} lacks the arrays {sorted(missing)}: where windows were cut")
        return Places(arrays["recording"].astype(np.int64), arrays["start"].astype(np.int64))


def windows_from_recordings(split: Split, places: Places, recordings: list[Recording]) -> Split:
    """The split with its windows cut from raw recordings, which were filtered from end to end."""
    signals = np.empty_like(split.signals)
    for recording in recordings:
        mine = places.experiments == recording.experiment
        if mine.any():
            steps = places.starts[mine, None] + np.arange(STEPS)
            signals[mine] = filter_recording(recording.signals)[steps]
    return Split(split.info, signals, split.labels, split.subjects)


def _recording(name: str, signals: NDArray[np.float32], segments: NDArray[np.int32]) -> Recording:
    experiment, subject = int(name[3:5]), int(name[10:12])
    labels = np.full(len(signals), NO_ACTIVITY, dtype=np.int64)
    for _, _, activity, first, last in segments[segments[:, 0] == experiment]:
        labels[first - 1 : last] = activity - 1 if activity <= len(LABELS) else TRANSITION
    return Recording(experiment, subject, signals, labels)
