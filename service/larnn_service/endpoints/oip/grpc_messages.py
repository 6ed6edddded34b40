"""From the bytes of a protobuf message to the message, when it is known what that costs.

What is parsed takes more memory than its bytes, up to fifty times as much, and the event loop's
time: an empty field of two bytes is an object. So fields are counted before, up to a bound.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from larnn_service.admission.byte_budget import Held
from larnn_service.errors import BadMessage, TooLarge

Message = Any
MOST_FIELDS = 1024
"""Of a message and those inside it, where an array of numbers is one."""
MOST_INTEGERS = 2**17
"""Of all its arrays of integers: each is as long as its value asks for, and is parsed alone."""
NUMBER = 8
"""Bytes that an integer takes when it is parsed."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST = 10
"""Bytes of an integer."""
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_INTEGERS = frozenset(
    (
        FieldDescriptor.TYPE_BOOL,
        FieldDescriptor.TYPE_ENUM,
        FieldDescriptor.TYPE_INT32,
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_SINT32,
        FieldDescriptor.TYPE_SINT64,
        FieldDescriptor.TYPE_UINT32,
        FieldDescriptor.TYPE_UINT64,
    )
)
"""Types whose values take as many bytes as they need."""


def parsed(kind: Descriptor, data: bytes, held: Held | None = None) -> Message:
    """The message of this kind; what it takes is counted in `held` before.

    Raises BadMessage, TooLarge, Full.
    """
    cost = _Cost(kind.name)
    cost.add(memoryview(data), kind)
    if held is not None:
        held.set(len(data) + NUMBER * cost.integers)
    try:
        return GetMessageClass(kind).FromString(data)
    except DecodeError:
        raise cost.no_message() from None


class _Cost:
    """Fields and integers of one message."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.fields = self.integers = 0

    def no_message(self) -> BadMessage:
        """Why it cannot be parsed."""
        return BadMessage(f"the message is no protobuf of the type {self._name}")

    def add(self, data: memoryview, kind: Descriptor) -> None:
        """Look at each field, and into those that are messages."""
        place, end = 0, len(data)
        while place < end:
            self.fields += 1
            if self.fields > MOST_FIELDS:
                raise TooLarge(
                    f"more than {MOST_FIELDS} fields in a message; send numbers packed, or raw"
                )
            key, place = self._varint(data, place)
            wire = key & 7
            if wire == _VARINT:
                _, place = self._varint(data, place)
            elif wire in _FIXED:
                place += _FIXED[wire]
            elif wire == _BYTES:
                size, place = self._varint(data, place)
                part, place = data[place : place + size], place + size
                self._look(kind.fields_by_number.get(key >> 3), part)
            else:  # groups, which no message here has
                raise self.no_message()
            if place > end:
                raise self.no_message()

    def _look(self, field: FieldDescriptor | None, part: memoryview) -> None:
        if field is None:
            return
        if field.message_type is not None:
            self.add(part, field.message_type)
        elif field.type in _INTEGERS:
            self.integers += int(np.count_nonzero(np.frombuffer(part, np.uint8) < 128))
            if self.integers > MOST_INTEGERS:
                raise TooLarge(f"more than {MOST_INTEGERS} integers; send raw_input_contents")

    def _varint(self, data: memoryview, place: int) -> tuple[int, int]:
        """The integer that begins there, and the place behind it."""
        number = 0
        for index, byte in enumerate(data[place : place + _LONGEST]):
            number |= (byte & 127) << 7 * index
            if byte < 128:
                return number, place + index + 1
        raise self.no_message()
