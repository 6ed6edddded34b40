"""Numbers of addresses and headers: as JSON writes them, and in no other way that Python reads."""

from __future__ import annotations

import math
import re

_WHOLE = re.compile(r"0|[1-9][0-9]*")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_DIGITS = 20
"""Of a whole number that are looked at: one of so many is larger than any limit."""
_LONGEST = 64


def whole_number(text: str) -> int | None:
    """The number that is not negative, or at least 10**19 where it is as large; None where the
    text is none."""
    return int(text[:_DIGITS]) if _WHOLE.fullmatch(text) else None


def number(text: str) -> float | None:
    """The finite number; None where the text is none."""
    if len(text) > _LONGEST or not _NUMBER.fullmatch(text):
        return None
    return found if math.isfinite(found := float(text)) else None
