"""Make the samples in this folder from the UCI HAR test set: python examples/make_samples.py [DATA]

DATA is the folder that holds uci-har/; it defaults to $LARNN_DATA, then to ../shared/data.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
LABELS = ("WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS", "SITTING", "STANDING", "LAYING")
ACTIVITY = LABELS.index("WALKING")


def joined(windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The continuous signal [steps, 9] of consecutive windows [n, 128, 9] that overlap by half."""
    half = windows.shape[1] // 2
    if not np.array_equal(windows[:-1, half:], windows[1:, :half]):
        raise ValueError("the windows do not follow each other")
    return np.concatenate([windows[0, :half], *windows[:, half:]])


def longest_segment(rows: NDArray[np.intp], segment: NDArray[Any]) -> NDArray[np.intp]:
    """Those of the rows that belong to the segment which has most of them."""
    numbers, counts = np.unique(segment[rows], return_counts=True)
    longest: NDArray[np.intp] = rows[segment[rows] == numbers[counts.argmax()]]
    return longest


def main() -> None:
    """Write the samples from UCI HAR, whose folder is the argument or $LARNN_DATA."""
    default = os.environ.get("LARNN_DATA", HERE.parent.parent / "shared" / "data")
    data = Path(sys.argv[1] if len(sys.argv) > 1 else default)
    with np.load(data / "uci-har" / "uci_har_test.npz") as test:
        signals, labels, segment = (test[name] for name in ("signals", "labels", "segment"))
    [rows] = np.nonzero(labels == ACTIVITY)
    first_of_each = [int(np.argmax(labels == label)) for label in range(len(LABELS))]
    np.savez_compressed(
        HERE / "recording.npz",
        signals=joined(signals[longest_segment(rows, segment)]),
        label=LABELS[ACTIVITY],
        windows=signals[first_of_each],
        window_labels=np.array(LABELS),
    )
    window = [[round(float(value), 6) for value in step] for step in signals[first_of_each[0]]]
    (HERE / "window.json").write_text(json.dumps({"sequences": [window]}) + "\n")


if __name__ == "__main__":
    main()
