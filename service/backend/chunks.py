"""Chunks of one turn of the event loop, read from their frames together by the native library."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from service.backend.base import Floats
from service.backend.kernels import door

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


def can_read_chunks() -> bool:
    """Whether the library is here, and new enough."""
    return _door() is not None


class ChunkReader:
    """Of one event loop: its memory is used again in each turn."""

    def __init__(self, largest: int) -> None:
        """Bytes of a message at most."""
        self._largest = largest
        self._values = np.empty(0, dtype=np.float32)
        self._text = np.empty(0, dtype=np.uint8)

    def read(self, frames: Sequence[bytes]) -> tuple[Floats, bytes, list[list[int]]]:
        """All values, all text, and the fields of Found for each of one frame or more."""
        count, read = len(frames), _door()
        assert read is not None
        sizes = list(map(len, frames))
        if (most := sum(sizes)) > len(self._text):
            self._values = np.empty(most // 2, dtype=np.float32)  # a digit and a comma each
            self._text = np.empty(most, dtype=np.uint8)
        found = np.empty((count, len(Found._fields)), dtype=np.int64)
        used = read(
            count,
            (ctypes.c_char_p * count)(*frames),
            (ctypes.c_int64 * count)(*sizes),
            self._largest,
            self._values.ctypes.data,
            len(self._values),
            self._text.ctypes.data,
            found.ctypes.data,
        )
        fields: list[list[int]] = found.tolist()
        return self._values[:used].copy(), self._text[: fields[-1][-1]].tobytes(), fields


@cache
def _door() -> Callable[..., int] | None:
    size, address = ctypes.c_int64, ctypes.c_void_p
    kinds = [size, address, address, size, address, size, address, address]
    return door("larnn_read_chunks", kinds, size)
