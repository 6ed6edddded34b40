"""Sequences of numbers from JSON, piece after piece: it says what is wrong, and where.

A piece is small, so that what is refused costs little, and other threads have their turns between.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from larnn_service.errors import BadJson, BadShape, BadValue, ServiceError
from larnn_service.interfaces import Floats

PIECE = 2**14
"""Bytes decoded at once, and whatever is left of a row."""
NUMBER = 64
"""Bytes that a number may take in JSON, with the space around it."""
FINITE = "every value is a finite number that fits float32"
_DECODER = msgspec.json.Decoder(list[list[list[float]]])
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<place>.*)`)?$", re.DOTALL)
_SPACE = re.compile(rb"[ \t\r\n]+")
_INDEX = re.compile(r"\[(\d+)\]")


class SequenceReader:
    """The sequences [steps, channels] of a text, as they come."""

    def __init__(self, root: str, width: int, who: str, nested: bool) -> None:
        """`root` is the field of the text, `who` the model that takes so many numbers. `nested`:
        the text is a list of sequences, otherwise it is one sequence."""
        self._root, self._width, self._who, self._nested = root, width, who, nested
        self._parts: list[list[Floats]] = []
        self.steps: list[int] = []
        """Of each sequence by now."""

    def read(
        self, text: memoryview, check: Callable[[list[int]], None], most: int, most_steps: int
    ) -> list[Floats]:
        """All sequences. `check` refuses what is too much: it is asked at the end, and as soon as
        there are more sequences or steps than these. Raises BadJson, BadShape, BadValue."""
        place, depth = 0, 0 if self._nested else 1
        while place < len(text):
            before, goes_on = depth, place > 0 and depth > 1
            end, piece = self._piece(text, place, goes_on)
            depth += piece.count(b"[") - piece.count(b"]")
            last = end == len(text)
            if last and depth != (0 if self._nested else 1):
                raise BadJson(f"{self._root}: the brackets do not match")
            inside = piece.lstrip(b" \t\r\n,") if place else piece
            self._take(b"[" * before + inside + b"]" * max(depth, 0), goes_on)
            place = end
            if len(self.steps) > most or sum(self.steps) > most_steps:
                break
        check(self.steps)
        return [parts[0] if len(parts) == 1 else np.concatenate(parts) for parts in self._parts]

    def _piece(self, text: memoryview, start: int, goes_on: bool) -> tuple[int, bytes]:
        """Where the piece ends that begins there, behind its last row or the next one, and the
        piece; in a long one without the space that is too much.

        Raises BadShape where that row is longer than a row can be: no more of it is looked at.
        """
        piece = bytes(text[start : start + PIECE])
        if start + PIECE >= len(text):
            return len(text), piece
        if last := piece.rfind(b"]") + 1:
            return start + last, piece[:last]
        parts, size, numbers = list[bytes](), 0, 0
        for place in range(start, len(text), PIECE):
            window = bytes(text[place : place + PIECE])
            end = window.find(b"]") + 1
            parts.append(_SPACE.sub(b" ", window[:end] if end else window))
            size, numbers = size + len(parts[-1]), numbers + parts[-1].count(b",")
            if numbers > self._width or size > PIECE + NUMBER * self._width:
                many = f"more than {self._width} numbers" if numbers else "much else than numbers"
                at = self._at(*self._base(goes_on))
                raise BadShape(f"{at} has {many}; {self._who} takes {self._width}")
            if end:
                return place + end, b"".join(parts)
        return len(text), b"".join(parts)

    def _base(self, goes_on: bool) -> tuple[int, int]:
        """Sequence and step of the first row of the next piece."""
        return len(self.steps) - goes_on, self.steps[-1] if goes_on else 0

    def _take(self, piece: bytes, goes_on: bool) -> None:
        """`goes_on`: the first sequence of the piece goes on with the last one."""
        base = self._base(goes_on)
        try:
            sequences = _DECODER.decode(piece)
        except msgspec.ValidationError as error:
            raise self._invalid(str(error), base) from None
        except (msgspec.DecodeError, RecursionError) as error:
            raise self._malformed(piece, error, base) from None
        array, start = self._array(sequences, base), 0
        for index, rows in enumerate(sequences):
            if index or not goes_on:
                self.steps.append(0)
                self._parts.append([])
            end = start + len(rows)
            self._parts[-1].append(array[start:end])
            self.steps[-1] += len(rows)
            start = end

    def _array(self, sequences: list[list[list[float]]], base: tuple[int, int]) -> Floats:
        """All rows, one behind the other: an array of each sequence would take long to make."""
        rows, width = list(chain.from_iterable(sequences)), self._width
        if not {width}.issuperset(map(len, rows)):
            row = next(i for i, values in enumerate(rows) if len(values) != width)
            at, count = self._row(sequences, row, base), len(rows[row])
            raise BadShape(f"{at} has {count} numbers; {self._who} takes {width}")
        with np.errstate(over="ignore"):
            numbers = np.fromiter(chain.from_iterable(rows), np.float32, len(rows) * width)
            array = numbers.reshape(-1, width)
        good = np.isfinite(array)
        if not good.all():
            row, channel = map(int, np.argwhere(~good)[0])
            raise BadValue(f"{self._row(sequences, row, base)}[{channel}]: {FINITE}")
        return array

    def _row(self, sequences: list[list[list[float]]], row: int, base: tuple[int, int]) -> str:
        """The place of a row of these sequences, all of whose rows are counted."""
        index, step = base
        for rows in sequences:
            if row < len(rows):
                break
            index, step, row = index + 1, 0, row - len(rows)
        return self._at(index, step + row)

    def _at(self, *indices: int) -> str:
        """The place in the text; one sequence by itself has no index."""
        shown = indices if self._nested else indices[1:]
        return self._root + "".join(f"[{index}]" for index in shown)

    def _moved(self, indices: list[int], base: tuple[int, int]) -> str:
        """A place of a piece as a place of the text."""
        if indices:
            if indices[0] == 0 and len(indices) > 1:
                indices[1] += base[1]
            indices[0] += base[0]
        return self._at(*indices)

    def _invalid(self, text: str, base: tuple[int, int]) -> ServiceError:
        match = _PLACE.match(text)
        what, place = (match["what"], match["place"] or "") if match else (text, "")
        at = self._moved([int(index) for index in _INDEX.findall(place)], base)
        if "array" in what:
            return BadShape(f"{at}: {what}; numbers are nested [steps][channels]")
        return BadValue(f"{at}: {what}; {FINITE}")

    def _malformed(self, piece: bytes, error: Exception, base: tuple[int, int]) -> ServiceError:
        """JSON has no NaN, but clients send it: say where it is."""
        if isinstance(error, RecursionError):
            return BadJson(f"{self._root}: the text is nested too deeply")
        try:
            path = first_not_finite(json.loads(piece))
        except (ValueError, RecursionError):
            return BadJson(f"{self._root}: the text is not valid JSON")
        indices = [key for key in path or () if isinstance(key, int)]
        return BadValue(f"{self._moved(indices, base)}: {FINITE}")


def first_not_finite(value: Any) -> list[str | int] | None:
    """The keys and indices that lead to the first number of a JSON value that is not finite."""
    if isinstance(value, float):
        return None if math.isfinite(value) else []
    items: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        if (rest := first_not_finite(item)) is not None:
            return [key, *rest]
    return None
