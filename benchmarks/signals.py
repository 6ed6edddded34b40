"""Something to send, the same each time; apart, since the load client must start fast."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def signal(steps: int, channels: int = 9) -> NDArray[np.float32]:
    """Random numbers [steps, channels], as large as normalised measurements."""
    return np.random.default_rng(0).normal(size=(steps, channels)).astype(np.float32)
