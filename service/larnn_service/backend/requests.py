"""Requests of one turn of the event loop, read together by the native library."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from larnn_service.interfaces import Floats
from larnn_service.native import door


class NativeHead(ctypes.Structure):
    """What a connection sends with each request, but for the digits of its Content-Length; and the
    header of an npy file of one sequence, where its bodies are such files."""

    _fields_ = (
        ("before", ctypes.c_char_p),
        ("before_size", ctypes.c_int64),
        ("after", ctypes.c_char_p),
        ("after_size", ctypes.c_int64),
        ("npy", ctypes.c_char_p),
        ("npy_size", ctypes.c_int64),
        ("steps", ctypes.c_int64),
        ("channels", ctypes.c_int64),
    )


class Found(NamedTuple):
    """One sequence, and where the body goes on before and behind its numbers."""

    steps: int
    """0: the request is not plainly right."""
    channels: int
    first: int
    """Of its values."""
    body: int
    """Where it begins."""
    before: int
    behind: int


FIELDS = len(Found._fields)


def can_read() -> bool:
    """Whether the library is here, and new enough."""
    return _door() is not None


class RequestReader:
    """Of one event loop: its memory is used again in each turn."""

    def __init__(self) -> None:
        self._make_room(0)

    def _make_room(self, values: int) -> None:
        self._values = np.empty(values, dtype=np.float32)
        self._room = self._values.ctypes.data, values

    def read(
        self, requests: Sequence[bytes], heads: Sequence[int]
    ) -> tuple[Floats, list[list[int]]]:
        """All values, and the fields of Found for each request; heads are NativeHeads' addresses.

        A request is plainly right that has its head, all of its body and in it one sequence of
        finite numbers; it is not said what else may be wrong.
        """
        count, read = len(requests), _door()
        assert read is not None
        sizes = list(map(len, requests))
        if (most := sum(sizes) // 2) > len(self._values):  # a digit and a comma each
            self._make_room(most)
        found = (ctypes.c_int64 * (count * FIELDS))()
        used = read(
            count,
            (ctypes.c_char_p * count)(*requests),
            (ctypes.c_int64 * count)(*sizes),
            (ctypes.c_void_p * count)(*heads),
            *self._room,
            found,
        )
        fields = [found[i : i + FIELDS] for i in range(0, len(found), FIELDS)]
        return self._values[:used].copy(), fields


@cache
def _door() -> Callable[..., int] | None:
    size, address = ctypes.c_int64, ctypes.c_void_p
    return door(
        "larnn_read_requests", [size, address, address, address, address, size, address], size
    )
