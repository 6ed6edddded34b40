"""Arrays as JSON, in pieces that take no call long: others run between them."""

from __future__ import annotations

from typing import Any

import msgspec
from numpy.typing import NDArray

_PIECE = 2**12
"""Numbers of a piece."""


def flat_json(array: NDArray[Any]) -> msgspec.Raw:
    """Its numbers, row after row."""
    flat = array.ravel()
    pieces = (
        msgspec.json.encode(flat[place : place + _PIECE].tolist())[1:-1]
        for place in range(0, flat.size, _PIECE)
    )
    return msgspec.Raw(b"[%b]" % b",".join(pieces))
