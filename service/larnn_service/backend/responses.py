"""Answers of POST /classify and of streams, written together by the native library."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from itertools import chain
from typing import Any, NamedTuple

from larnn_service.interfaces import Floats
from larnn_service.native import door

_NUMBER = 26
"""Bytes of a number at most, with what parts it from the next."""
_AROUND = 64
"""Bytes of an answer that are neither label nor number, and of its length."""
_PREDICTION = 96
"""Bytes of a prediction's frame beside its answer."""


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
    return None not in (_door("larnn_write_answers"), _door("larnn_write_predictions"))


def write_answers(
    logits: Sequence[Floats], labels: tuple[bytes, ...], frame: Frame, with_logits: Sequence[bool]
) -> list[Response]:
    """A response for each of the logits [1, classes]; labels are JSON strings."""
    around, size = _pointers(frame)
    whole, places = _written("larnn_write_answers", logits, labels, around, with_logits, size, 2)
    responses, start = [], 0
    for body, end in zip(places[::2], places[1::2], strict=True):
        responses.append(Response(whole[start:end], body - start))
        start = end
    return responses


def write_predictions(
    logits: Sequence[Floats],
    labels: tuple[bytes, ...],
    places: Sequence[tuple[int, int]],
    with_logits: Sequence[bool],
) -> list[bytes]:
    """A websocket's frame for each of the logits [1, classes], with its position and how much of
    the stream is durable; labels are JSON strings."""
    numbers = (ctypes.c_int64 * (2 * len(places)))(*chain.from_iterable(places))
    whole, ends = _written(
        "larnn_write_predictions", logits, labels, numbers, with_logits, _PREDICTION, 1
    )
    return [whole[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def _written(
    name: str,
    logits: Sequence[Floats],
    labels: tuple[bytes, ...],
    more: Any,
    with_logits: Sequence[bool],
    around: int,
    marks: int,
) -> tuple[bytes, list[int]]:
    """All texts, and so many marks of each; `around`: its bytes beside labels and numbers."""
    write, count, classes = _door(name), len(logits), len(labels)
    rows = b"".join([row.data for row in logits])
    assert write is not None
    assert len(rows) == 4 * count * classes
    names, size = _pointers(labels)
    most = around + _AROUND + 2 * size + 2 * classes * _NUMBER
    text = ctypes.create_string_buffer(count * most)
    ends = (ctypes.c_int64 * (marks * count))()
    flags = bytes(with_logits)
    size = write(count, classes, rows, names, more, flags, text, len(text), ends)
    assert size, "the memory for the answers is too small"
    return ctypes.string_at(text, size), ends[:]


@lru_cache(maxsize=64)
def _pointers(texts: tuple[bytes, ...]) -> tuple[ctypes.Array[ctypes.c_char_p], int]:
    """To each of them, and the bytes that they have."""
    return (ctypes.c_char_p * len(texts))(*texts), sum(map(len, texts))


@cache
def _door(name: str) -> Callable[..., int] | None:
    size, address = ctypes.c_int64, ctypes.c_void_p
    kinds = [size, size, address, address, address, ctypes.c_char_p, address, size, address]
    return door(name, kinds, size)
