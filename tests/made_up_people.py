"""A made-up data set in UCI HAR's format: six people, classes that a small network can tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from export.data.uci_har import CHANNELS, FOLDER, LABELS, STEPS


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
        )
    return root
