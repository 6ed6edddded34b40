"""Sequences of numbers from JSON text, by the native library: no Python object for each number."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from larnn_service.interfaces import Floats
from larnn_service.native import door


class Found(NamedTuple):
    """What a text holds from some place on."""

    sequences: list[Floats]
    """Each [steps, width], of one width."""
    end: int
    """Where the text goes on."""


def read_sequences(text: bytes, start: int, most: int) -> Found | None:
    """The array [sequences][steps][width] that begins there, of finite numbers, none of it empty.

    None where it is anything else, has more than so many sequences, or where no library is: this
    says not why.
    """
    if (read := _door()) is None:
        return None
    values = np.empty((len(text) - start) // 2, dtype=np.float32)  # a digit and a comma each
    steps, shape = np.empty(most, dtype=np.int64), np.empty(2, dtype=np.int64)
    places = (values.ctypes.data, len(values), steps.ctypes.data, most, shape.ctypes.data)
    if not (count := read(text, start, len(text), *places)):
        return None
    width, end = shape.tolist()
    ends = np.cumsum(steps[:count])
    whole = values[: ends[-1] * width].reshape(-1, width).copy()
    return Found(np.split(whole, ends[:-1]) if count > 1 else [whole], end)


@cache
def _door() -> Callable[..., int] | None:
    size, address = ctypes.c_int64, ctypes.c_void_p
    kinds = [ctypes.c_char_p, size, size, address, size, address, size, address]
    return door("larnn_read_sequences", kinds, size)
