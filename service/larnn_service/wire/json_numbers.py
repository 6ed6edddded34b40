"""Numbers of a JSON array by the native library, without a Python object for each number."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from larnn_service.interfaces import Floats
from larnn_service.native import door

_LONG = 2**16
"""Bytes of a text while whose reading others have the interpreter."""
_NUMBER, _SEQUENCE = 2, 4
"""Bytes that a number and a sequence take at least, as `0,` and `[0],`."""


class _Room:
    """Memory that a text is read into, and its addresses."""

    def __init__(self, numbers: int, sequences: int) -> None:
        """For a text of at most so many."""
        self.values = np.empty(numbers, dtype=np.float32)
        self.values_at = self.values.ctypes.data
        self.most = sequences
        self.sizes, self.shape = (ctypes.c_int64 * self.most)(), (ctypes.c_int64 * 2)()
        self.sizes_at, self.shape_at = map(ctypes.addressof, (self.sizes, self.shape))


class _Own(threading.local):
    """Of each thread: what texts that are not long are read into."""

    def __init__(self) -> None:
        self.room = _Room(_LONG // _NUMBER, _LONG // _SEQUENCE + 1)


_OWN = _Own()


class Numbers(NamedTuple):
    """The numbers of one JSON array, nested one, two or three deep."""

    values: Floats
    """All numbers in the order of the text: float32, one-dimensional, in memory of its own."""
    depth: int
    """1 for a row `[x, …]`, 2 for a sequence of rows, 3 for a list of sequences."""
    width: int
    """The length of each row, which is an innermost array."""
    rows: list[int]
    """The number of rows of each sequence. A row by itself is a sequence of one row."""


def read_numbers(
    text: bytes | bytearray | memoryview, most: int, most_numbers: int | None = None
) -> Numbers | None:
    """Read the numbers of a text that is one JSON array.

    `text` is UTF-8; `most`, from 1 on, is the largest number of sequences to accept, and
    `most_numbers` that of numbers in a long text, for which memory is made. The array has depth 1,
    2 or 3, holds no empty array, has rows of one width, and each of its numbers is finite as
    float32.

    Returns the numbers, or None where the text is anything else or where the native library is
    missing or has no such function. Use another decoder then: it says what is wrong with the text.
    """
    size = len(text)
    if (read := _native_reader(size > _LONG)) is None:
        return None
    if size > _LONG:
        numbers = size // _NUMBER if most_numbers is None else min(size // _NUMBER, most_numbers)
        room = _Room(numbers, min(size // _SEQUENCE + 1, most))
        start: int | bytes = np.frombuffer(text, np.uint8).ctypes.data
    else:
        room, start = _OWN.room, bytes(text)  # copied in less time than its address is found
    most, sizes_at = min(most, room.most), room.sizes_at
    count = read(start, size, room.values_at, len(room.values), sizes_at, most, room.shape_at)
    if not count:
        return None
    depth, width = room.shape
    rows = room.sizes[:count]
    return Numbers(room.values[: sum(rows) * width].copy(), depth, width, rows)


@cache
def _native_reader(long: bool) -> Callable[..., int] | None:
    size, address = ctypes.c_int64, ctypes.c_void_p
    kinds = [ctypes.c_void_p, size, address, size, address, size, address]
    return door("larnn_read_numbers", kinds, size, long=long)
