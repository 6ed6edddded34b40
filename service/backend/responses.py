"""Answers of POST /classify, written together by the native library."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from service.backend.base import Floats
from service.backend.kernels import door

_NUMBER = 26
"""Bytes of a number at most, with what parts it from the next."""
_AROUND = 64
"""Bytes of an answer that are neither label nor number, and of its length."""


class Frame(NamedTuple):
    """What stands around the answers."""

    head: bytes
    """Up to the digits of Content-Length."""
    tail: bytes
    """From there to the body."""
    before: bytes
    after: bytes


class Response(NamedTuple):
    """One of them."""

    whole: bytes
    body: int
    """Where it begins."""


def can_write() -> bool:
    """Whether the library is here, and new enough."""
    return _door() is not None


def write_answers(
    logits: Floats, labels: Sequence[bytes], frame: Frame, with_logits: Sequence[bool]
) -> list[Response]:
    """A response for each row of logits [rows, classes]; labels are JSON strings."""
    (rows, classes), write = logits.shape, _door()
    assert write is not None
    each = sum(map(len, frame)) + _AROUND + 2 * sum(map(len, labels)) + 2 * classes * _NUMBER
    text = np.empty(rows * each, dtype=np.uint8)
    ends = np.empty(2 * rows, dtype=np.int64)
    size = write(
        rows,
        classes,
        logits.ctypes.data,
        (ctypes.c_char_p * classes)(*labels),
        (ctypes.c_char_p * len(frame))(*frame),
        bytes(with_logits),
        text.ctypes.data,
        len(text),
        ends.ctypes.data,
    )
    assert size, "the memory for the answers is too small"
    whole, places, start, responses = text[:size].tobytes(), ends.tolist(), 0, []
    for body, end in zip(places[::2], places[1::2], strict=True):
        responses.append(Response(whole[start:end], body - start))
        start = end
    return responses


@cache
def _door() -> Callable[..., int] | None:
    size, address = ctypes.c_int64, ctypes.c_void_p
    kinds = [size, size, address, address, address, ctypes.c_char_p, address, size, address]
    return door("larnn_write_answers", kinds, size)
