"""Large texts of JSON, taken apart so that no single call takes long: the arrays of numbers first.

What is left between them is small, and is decoded as any other text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from larnn_service.errors import BadValue, TooLarge

T = TypeVar("T")
LARGE = 2**16
"""Bytes from which on a text is taken apart, and best not in the event loop: to refuse as many
takes 5 ms at most."""
MOST_BESIDE = 2**20
"""Bytes that a text may have beside its numbers."""
MOST_ARRAYS = 2**10
"""Fields of a text that hold arrays."""
WINDOW = 2**16
"""Bytes looked at in one call."""
_SHORT = 2**10
"""Bytes of an array that may stay where it is."""
_FIELD = re.compile(rb'(?<!\\)"\s{0,16}:\s{0,16}(?=\[)')
"""The end of a field's name; what begins there is its array."""
_RUN = re.compile(rb"[-+0-9.eE,\s\[\]NaInfity]*")
"""Numbers and brackets, and what some clients write in place of numbers."""
_LONGEST_MARK = 32
_MARK = re.compile(rb'"\\u0000(\d{1,9})"')


def decode_large(
    decode: Callable[[bytes], T], text: bytes | bytearray, beside: int = MOST_BESIDE
) -> T:
    """The typed text. Its fields of the type `Raw` refer to the text's own memory.

    `beside`: bytes that it may have beside its numbers. Raises TooLarge, and what `decode` raises.
    """
    rest, arrays = _split(text, beside)
    decoded = decode(rest)
    _restore(decoded, arrays)
    return decoded


def _split(text: bytes | bytearray, beside: int) -> tuple[bytes, list[memoryview]]:
    """The text with a mark in place of each long array of numbers, and these arrays."""
    rest, whole = bytearray(), memoryview(text)
    arrays: list[memoryview] = []
    place = kept = found = 0
    while place < len(text):
        field = _FIELD.search(text, place, place + WINDOW)
        if field is None:
            # What stands at the end of a window may be the beginning of such a field.
            place = len(text) if place + WINDOW >= len(text) else place + WINDOW - 64
        else:
            start, found = field.end(), found + 1
            place = _end_of_array(text, start)
            if place - start > _SHORT:
                rest += whole[kept:start]
                rest += b'"\\u0000%d"' % len(arrays)
                arrays.append(whole[start:place])
                kept = place
        if len(rest) + place - kept > beside:
            raise TooLarge(f"more than {beside} bytes of the JSON are no numbers; send less")
        if found > MOST_ARRAYS:
            raise TooLarge(f"more than {MOST_ARRAYS} fields of the JSON are arrays; send less")
    rest += whole[kept:]
    return bytes(rest), arrays


def _end_of_array(text: bytes | bytearray, start: int) -> int:
    """Behind the array that begins there, where it is a long one of numbers; else further on.

    Raises BadValue where something else stands among the numbers.
    """
    end = start
    while (run := _RUN.match(text, end, end + WINDOW)) is not None and run.end() > end:
        end = run.end()
    last = max(text.rfind(b"]", start, end), start) + 1
    if last - start > _SHORT and text.find(b"[", last, end) >= 0:
        raise BadValue(f"byte {end}: numbers alone stand in such an array")
    return last


def _restore(value: Any, arrays: list[memoryview]) -> None:
    """Put each array back in the place of its mark."""
    for name in getattr(value, "__struct_fields__", ()):
        held = getattr(value, name)
        if isinstance(held, msgspec.Raw):
            setattr(value, name, _whole(held, arrays))
        elif isinstance(held, list):
            for item in held:
                _restore(item, arrays)
        elif isinstance(held, dict):
            for key, item in held.items():
                if isinstance(item, msgspec.Raw):
                    held[key] = _whole(item, arrays)


def _whole(held: msgspec.Raw, arrays: list[memoryview]) -> msgspec.Raw:
    mark = _MARK.fullmatch(bytes(held)) if len(held) < _LONGEST_MARK else None
    if mark is None or int(mark[1]) >= len(arrays):
        return held
    return msgspec.Raw(arrays[int(mark[1])])
