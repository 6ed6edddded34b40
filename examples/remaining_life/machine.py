"""A machine that wears out: what its sensors say each hour, until its bearing fails.

Made up for this example. Wear grows from 0 to 1, faster under load, at each machine's own pace.
Vibration rises with the fourth power of wear and the temperature with the third, so that a young
machine shows little of its age; load and the time of day cover what there is to see.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CHANNELS = (("vibration", "mm/s"), ("temperature", "°C"), ("load", "%"))
SHORTEST, LONGEST = 60, 180
"""Hours that a machine lives under its usual load."""
MOST = 80.0
"""Hours left: more than that is told as that."""


def run_to_failure(seed: int) -> NDArray[np.float32]:
    """The sensors' readings [hours, 3] of one machine, the last one in the hour before it fails."""
    random = np.random.default_rng(seed)
    pace, hour = 1 / random.uniform(SHORTEST, LONGEST), random.uniform(0, 24)
    vibration, wear, load = random.uniform(0.8, 1.4), 0.0, 0.6
    readings: list[tuple[float, ...]] = []
    while wear < 1:
        load = float(np.clip(load + 0.1 * (0.6 - load) + random.normal(0, 0.08), 0.1, 1))
        day = np.sin(2 * np.pi * (hour + len(readings)) / 24)
        readings.append(
            (
                vibration + 0.5 * load + 6 * wear**4 + random.normal(0, 0.15),
                20 + 3 * day + 25 * load + 12 * wear**3 + random.normal(0, 0.5),
                100 * load,
            )
        )
        wear += pace * (0.5 + 1.4 * load**2) * random.uniform(0.7, 1.3)
    return np.array(readings, dtype=np.float32)


def hours_left(hours: int, most: float) -> NDArray[np.float32]:
    """[hours] of the life that is left after each reading, `most` where it is more: nobody can tell
    a machine's end before it shows."""
    return np.minimum(np.arange(hours, 0, -1, dtype=np.float32), most).astype(np.float32)
