"""A protobuf message by its wire format alone, so that any field of it can be made wrong."""

from __future__ import annotations

from typing import Any

from tests.faults.fuzz.mutate import Mutator

Field = tuple[int, int, Any]
"""Number, wire type, and an integer, bytes, or the fields of a message."""
_FIXED = {1: 8, 5: 4}
_VARINT, _BYTES = 0, 2


def fields(data: bytes) -> list[Field] | None:
    """The message's fields, those that look like messages taken apart; None where it is none."""
    found: list[Field] = []
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        number, kind = key >> 3, key & 7
        if not number or place > len(data) or kind not in (_VARINT, _BYTES, *_FIXED):
            return None
        if kind == _VARINT:
            value, place = _varint(data, place)
            found.append((number, kind, value))
            continue
        size = _FIXED.get(kind)
        if size is None:
            size, place = _varint(data, place)
        part, place = data[place : place + size], place + size
        if place > len(data):
            return None
        inner = fields(part) if kind == _BYTES and len(part) > 1 and part[0] < 0x60 else None
        found.append((number, kind, inner or part))
    return found


def message(made: list[Field], mutator: Mutator) -> bytes:
    """The fields as bytes, now and then with a length that is wrong."""
    parts = []
    for number, kind, value in made:
        parts.append(varint((number << 3 | kind) % 2**64))
        if kind == _VARINT and isinstance(value, int):
            parts.append(varint(value))
            continue
        part = message(value, mutator) if isinstance(value, list) else bytes(value)
        if kind == _BYTES:
            wrong = mutator.chance(0.01)
            parts.append(varint(int(abs(mutator.number())) % 2**64 if wrong else len(part)))
        parts.append(part)
    return b"".join(parts)


def changed(data: bytes, mutator: Mutator) -> bytes:
    """The message with one field of it changed, or some of its bytes."""
    made = fields(data)
    if not made or mutator.chance(0.2):
        return mutator.data(data)
    for _ in range(mutator.choice(1, 1, 2)):
        _change(made, mutator)
    return message(made, mutator)


def _change(made: list[Field], mutator: Mutator) -> None:
    place = mutator.random.randrange(len(made)) if made else 0
    if not made:
        return
    number, kind, value = made[place]
    if isinstance(value, list) and mutator.chance(0.7):
        return _change(value, mutator)
    what = mutator.random.random()
    if what < 0.15:
        del made[place]
    elif what < 0.3:
        made[place:place] = [made[place]] * mutator.choice(1, 2, 20, 1000)
    elif what < 0.4:
        made[place] = (mutator.choice(1, 2, 3, 5, 7, 99, 2**29 - 1), kind, value)
    elif what < 0.5:
        deep = b"\x0a\x02\x0a\x00" if mutator.chance(0.5) else b"\x0b" * 200
        made[place] = (number, _BYTES, deep)
    elif isinstance(value, int):
        made[place] = (number, kind, int(mutator.number()) % 2**64)
    elif isinstance(value, list):
        mutator.random.shuffle(value)
    else:
        text = mutator.text().encode("utf-8", "surrogatepass")
        made[place] = (number, kind, mutator.choice(text, text, mutator.data(value)))


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    told = bytearray()
    while number > 127:
        told.append(number & 127 | 128)
        number >>= 7
    told.append(number)
    return bytes(told)


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """The number that begins there, and what follows; behind the end where it is cut."""
    number = shift = 0
    while place < len(data):
        byte = data[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place
    return number, len(data) + 1
