"""Recordings of people, as long streams of the bundled model's nine channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.server import ROOT
from larnn_export.data import DataError
from larnn_export.data.uci_har import data_root

Floats = NDArray[np.float32]
EXAMPLE = ROOT / "examples" / "recording.npz"
SLOWNESS = 2 * np.pi * 0.3 / 50
"""Of the average that stands for gravity: 0.3 Hz at 50 steps a second."""


def hapt(count: int, steps: int, data: Path | None = None) -> Floats:
    """[count, steps, 9] of HAPT's recordings, each from another place on. Raises DataError."""
    file = data_root(data) / "hapt" / "hapt_raw.npz"
    if not file.is_file():
        raise DataError(
            f"{file} does not exist: get the data set 'Smartphone-Based Recognition of Human "
            "Activities and Postural Transitions', or take --quick, which needs none"
        )
    with np.load(file, allow_pickle=False) as arrays:
        raw = [arrays[name] for name in sorted(arrays.files) if name.startswith("exp")]
    return nine_channels(_parts(raw, count, steps))


def example(count: int, steps: int) -> Floats:
    """[count, steps, 9] of the repository's one recording."""
    with np.load(EXAMPLE, allow_pickle=False) as arrays:
        return _parts([arrays["signals"]], count, steps)


def nine_channels(raw: Floats) -> Floats:
    """[count, steps, 6], acceleration and turning, → body acceleration, turning, acceleration.

    The body's acceleration is what a slow average of the whole leaves.
    """
    total, turning = raw[..., :3], raw[..., 3:]
    gravity = np.empty_like(total)
    slow = total[:, 0]
    for step in range(total.shape[1]):
        slow = slow + SLOWNESS * (total[:, step] - slow)
        gravity[:, step] = slow
    return np.concatenate([total - gravity, turning, total], axis=-1).astype(np.float32)


def _parts(recordings: list[Floats], count: int, steps: int) -> Floats:
    """One after the other, and from the start again at the end of each."""
    parts = []
    for index in range(count):
        recording = recordings[index % len(recordings)]
        start = 797 * (index // len(recordings))
        parts.append(recording[(start + np.arange(steps)) % len(recording)])
    return np.stack(parts).astype(np.float32)
