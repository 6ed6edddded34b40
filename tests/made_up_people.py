"""Made-up data in UCI HAR's and HAPT's formats: classes that a small network can tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from larnn_export.data.hapt import FILE, RAW_CHANNELS
from larnn_export.data.uci_har import CHANNELS, FOLDER, LABELS, STEPS


def write(root: Path, windows: int = 36) -> Path:
    """root/uci-har with a train and a test file; gives root."""
    folder = root / FOLDER
    folder.mkdir(parents=True)
    for seed, (name, first) in enumerate((("train", 1), ("test", 7))):
        random = np.random.default_rng(seed)
        labels = np.arange(windows) % len(LABELS)
        signals = random.normal(0, 0.1, (windows, STEPS, len(CHANNELS)))
        signals += labels[:, None, None] - 2.5
        np.savez(
            folder / f"uci_har_{name}.npz",
            signals=signals.astype(np.float32),
            labels=labels.astype(np.int8),
            subject=(np.arange(windows) // len(LABELS) % 6 + first).astype(np.int8),
            recording=np.full(windows, seed + 1),
            start=np.arange(windows) * STEPS // 2,
        )
    _write_recordings(root / FILE)
    return root


def _write_recordings(file: Path, steps: int = 4000) -> None:
    """One of each person that the windows have, and two of people who are UCI HAR's to test on."""
    file.parent.mkdir(parents=True)
    random = np.random.default_rng(2)
    people = {experiment: experiment for experiment in range(1, 7)} | {7: 9, 8: 10}
    recordings = {
        f"exp{experiment:02}_user{person:02}": random.normal(0, 1, (steps, len(RAW_CHANNELS)))
        for experiment, person in people.items()
    }
    segments = [
        (experiment, person, activity, activity * 400, activity * 400 + 149)
        for experiment, person in people.items()
        for activity in range(1, 9)
    ]
    arrays: dict[str, Any] = {name: x.astype(np.float32) for name, x in recordings.items()}
    np.savez(file, labels=np.array(segments, dtype=np.int32), **arrays)
