"""Steps for the toy and the logits that it gives for them: running sums, and their count."""

from __future__ import annotations

import itertools
import secrets

import numpy as np

WINDOW = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
TOTALS = np.array([[1, 2, 1], [4, 6, 2], [9, 12, 3]], np.float32)
HALVES = [(WINDOW[:1], TOTALS[:1]), (WINDOW[1:2], TOTALS[1:2]), (WINDOW[2:], TOTALS[2:])]

_first = secrets.randbits(48)
_names = itertools.count(1)


def new_name() -> int:
    """A sequence id that no other test has: the service is shared."""
    return _first + next(_names)
