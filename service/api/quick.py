"""The quick way to read a body of sequences: numbers straight to arrays, the rest as ever.

Nothing is refused here. Whatever is not plainly right is left to the typed decoder, which says
what is wrong with it.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import msgspec
from msgspec import UnsetType

from service.api.messages import ChunkMessage, EndMessage
from service.api.schemas import ClassifyBody
from service.backend.base import Floats
from service.backend.numbers import read_sequences, read_steps

T = TypeVar("T")
_KEY = b'"sequences"'
_STEPS = b'"steps"'
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
    start = _behind(body, _KEY)
    if not start or (found := read_sequences(body, start, most)) is None:
        return None
    rest = _rest(body, _KEY, start, found.end, decoder)
    if rest is None or not isinstance(rest.texts, UnsetType):
        return None
    return Plain(rest, found.sequences)


def plain_chunk(
    text: bytes, decoder: msgspec.json.Decoder[ChunkMessage | EndMessage]
) -> tuple[ChunkMessage, Floats] | None:
    """A chunk's message without its steps, and these [steps, channels], where it has no text."""
    start = _behind(text, _STEPS)
    if not start or (found := read_steps(text, start)) is None:
        return None
    steps, end = found
    rest = _rest(text, _STEPS, start, end, decoder)
    if not isinstance(rest, ChunkMessage) or not isinstance(rest.text, UnsetType):
        return None
    return rest, steps


def _behind(text: bytes, key: bytes) -> int:
    """The place behind the key's colon, 0 where it has none."""
    start = text.find(key) + len(key)
    colon = text.find(_COLON, start, start + 2)
    return 0 if start < len(key) or colon < 0 else colon + 1


def _rest(
    text: bytes, key: bytes, start: int, end: int, decoder: msgspec.json.Decoder[T]
) -> T | None:
    """What is around the numbers, with none in their place."""
    behind = text[end:]
    if key in behind or b"\\" in behind:  # of two the last counts, however it is written
        return None
    try:
        return decoder.decode(text[:start] + _EMPTY + behind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
