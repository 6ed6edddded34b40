"""Chunks of one turn of the event loop, read from their frames together by the native library."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from larnn_service.interfaces import Floats
from larnn_service.native import door

NOT_PLAIN, BINARY, TEXT = range(3)


class Found(NamedTuple):
    """One chunk."""

    kind: int
    """NOT_PLAIN: it is not said why."""
    first: int
    values: int
    """Where its values begin and how many there are, all finite."""
    offset: int
    """Of a binary one."""
    width: int
    """Numbers in a step of a text."""
    start: int
    end: int
    """Of the text that is left where the numbers are taken out."""


FIELDS = len(Found._fields)


def can_read_chunks() -> bool:
    """Whether the library is here, and new enough."""
    return _door() is not None


class ChunkReader:
    """Of one event loop: its memory is used again in each turn."""

    def __init__(self, largest: int) -> None:
        """Bytes of a message at most."""
        self._largest = largest
        self._make_room(0)

    def _make_room(self, size: int) -> None:
        """For frames of so many bytes together."""
        self._values = np.empty(size // 2, dtype=np.float32)  # a digit and a comma each
        self._text = np.empty(size, dtype=np.uint8)
        self._room = self._values.ctypes.data, len(self._values), self._text.ctypes.data

    def read(self, frames: Sequence[bytes]) -> tuple[Floats, bytes, list[list[int]]]:
        """All values, all text, and the fields of Found for each of one frame or more."""
        count, read = len(frames), _door()
        assert read is not None
        sizes = list(map(len, frames))
        if (most := sum(sizes)) > len(self._text):
            self._make_room(most)
        found = (ctypes.c_int64 * (count * FIELDS))()
        used = read(
            count,
            (ctypes.c_char_p * count)(*frames),
            (ctypes.c_int64 * count)(*sizes),
            self._largest,
            *self._room,
            found,
        )
        fields = [found[i : i + FIELDS] for i in range(0, len(found), FIELDS)]
        return self._values[:used].copy(), self._text[: found[-1]].tobytes(), fields


@cache
def _door() -> Callable[..., int] | None:
    size, address = ctypes.c_int64, ctypes.c_void_p
    kinds = [size, address, address, size, address, size, address, address]
    return door("larnn_read_chunks", kinds, size)
