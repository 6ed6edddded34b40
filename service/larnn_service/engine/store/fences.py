"""The numbers that fences are made of."""

from __future__ import annotations

import time


def next_fence(last: int = 0) -> int:
    """Above the last one, and not below the time in milliseconds.

    A store that lost writes, or was set up from a backup, then gives no fence a second time.
    """
    return max(last + 1, int(time.time() * 1000))
