"""The quick way to read a body of sequences: numbers straight to arrays, the rest as ever.

Nothing is refused here. Whatever is not plainly right is left to the typed decoder, which says
what is wrong with it.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import UnsetType

from larnn_service.interfaces import Floats
from larnn_service.wire.json_numbers import read_sequences
from larnn_service.wire.openapi import ClassifyBody

_KEY = b'"sequences"'
_COLON = b":"
_EMPTY = b"[]"


class Plain(NamedTuple):
    """A body that is plainly right, whatever its model."""

    rest: ClassifyBody
    """Without its sequences."""
    sequences: list[Floats]
    """Each [steps, channels], none empty."""

    @property
    def channels(self) -> int:
        """Of all of them."""
        return int(self.sequences[0].shape[1])


def plain_body(body: bytes, decoder: msgspec.json.Decoder[ClassifyBody], most: int) -> Plain | None:
    """What it holds, where that is at most so many sequences and no texts."""
    key = body.find(_KEY)
    colon = body.find(_COLON, key + len(_KEY), key + len(_KEY) + 2)
    if key < 0 or colon < 0 or (found := read_sequences(body, colon + 1, most)) is None:
        return None
    behind = body[found.end :]
    if _KEY in behind or b"\\" in behind:  # of two the last counts, however it is written
        return None
    try:
        rest = decoder.decode(body[: colon + 1] + _EMPTY + behind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return Plain(rest, found.sequences) if isinstance(rest.texts, UnsetType) else None
