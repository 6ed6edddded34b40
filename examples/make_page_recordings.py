"""Make the live page's recordings from HAPT: python examples/make_page_recordings.py [DATA]

DATA is the folder that holds hapt/; it defaults to $LARNN_DATA, then to ../shared/data. The phone's
readings are multiples of 1/720 g and of 17.5 millidegrees a second: int16 keeps them as they are.
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
TARGET = HERE.parent / "service" / "larnn_service" / "web" / "recordings"
RATE = 50
SCALES = [1 / 720] * 3 + [0.0175 * np.pi / 180] * 3
LABELS = ("WALKING", "WALKING_UPSTAIRS", "WALKING_DOWNSTAIRS", "SITTING", "STANDING", "LAYING")
PIECES = (
    ("postures", "Standing, sitting, lying down", 27, 13, 22, 90),
    ("stairs", "Walking, stairs down and up", 7, 4, 194, 270),
)
"""File, title, experiment, user, first and last second. Both people are test subjects."""


def quantised(raw: NDArray[np.float32]) -> NDArray[np.int16]:
    """[steps, 6] in g and rad/s as the phone's own counts. Raises where that loses anything."""
    counts: NDArray[np.int16] = np.round(raw / np.array(SCALES)).astype("<i2")
    if np.abs(counts * SCALES - raw).max() > 1e-6:
        raise ValueError("the readings are no multiples of the scales")
    return counts


def activities(labels: NDArray[Any], experiment: int, first: int, last: int) -> list[list[Any]]:
    """[label, first step, last step) of what the person did in the steps from first to last."""
    found = []
    for of, _, activity, begin, end in labels.tolist():
        begin, end = max(begin - 1, first) - first, min(end, last) - first
        if of == experiment and activity <= len(LABELS) and begin < end:
            found.append([LABELS[activity - 1], begin, end])
    return found


def main() -> None:
    """Write the page's recordings from HAPT, whose folder is the argument or $LARNN_DATA."""
    default = os.environ.get("LARNN_DATA", HERE.parent.parent / "shared" / "data")
    data = Path(sys.argv[1] if len(sys.argv) > 1 else default)
    recordings = []
    with np.load(data / "hapt" / "hapt_raw.npz") as hapt:
        for name, title, experiment, user, *seconds in PIECES:
            first, last = (second * RATE for second in seconds)
            raw = hapt[f"exp{experiment:02}_user{user:02}"][first:last]
            (TARGET / f"{name}.bin").write_bytes(quantised(raw).tobytes())
            did = activities(hapt["labels"], experiment, first, last)
            recordings.append({"name": name, "title": title, "steps": len(raw), "activities": did})
    index = {"rate": RATE, "scales": SCALES, "recordings": recordings}
    (TARGET / "index.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    main()
