"""From the protocol's tensors to arrays, or to an error that names the tensor."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from larnn_service.contract import Contract
from larnn_service.errors import BadMessage, BadShape, BadValue, quoted
from larnn_service.wire.arrays import nested_decoder
from larnn_service.wire.json_numbers import read_numbers
from larnn_service.wire.json_pieces import PIECE
from larnn_service.wire.large_json import LARGE

FP32, INT64 = "FP32", "INT64"
DATATYPES = {
    "float16": "FP16",
    "float32": FP32,
    "float64": "FP64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": INT64,
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "bool": "BOOL",
}
"""The protocol's names of what a tensor may be."""
DTYPES = {told: np.dtype(name).newbyteorder("<") for name, told in DATATYPES.items()}
_BRACKETS = re.compile(rb"\s*(?:\[\s*)+")
_LARGEST_AXIS = 2**31
_MOST_AXES = 10
"""A batch and its rows, and the axes of a tensor."""
_SHOWN = 8
"""Axes that an error repeats."""
_SPACES = bytes.maketrans(b"[]", b"  ")
_END = re.compile(rb"[,\]]")
_LONGEST = 2**10
"""Bytes that a number takes at most, with the space around it."""
_MOST_SEQUENCES = 2**16
"""Outermost arrays that the number reader has room for."""


@dataclass(frozen=True)
class Tensor:
    """An input as it came; `read` gives its array for a datatype that is in `DTYPES`."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    size: int
    """Bytes that its numbers came in, about."""
    read: Callable[[], NDArray[Any]]

    def array(self, datatype: str, *axes: str | int) -> NDArray[Any]:
        """Its axes are these: a number is a size, a word says what any size is of.

        Raises BadMessage, BadShape, BadValue.
        """
        self.check(datatype, *axes)
        array, size = self.read(), math.prod(self.shape)
        if array.size != size:
            raise BadShape(
                f"input {self.name}: {array.size} numbers; {list(self.shape)} takes {size}"
            )
        return array.reshape(self.shape)

    def check(self, datatype: str, *axes: str | int) -> None:
        """Whether it says that it is such an array, before any number is read. Raises likewise."""
        if self.datatype != datatype:
            raise BadMessage(f"input {self.name}: its datatype is {self.datatype}; send {datatype}")
        fits = self._fits(axes)
        size = math.prod(self.shape) if fits else 0
        if not fits or (not size and self.shape[0] > 1):
            shape, expected = quoted(list(self.shape[:_SHOWN])), ", ".join(map(str, axes))
            raise BadShape(f"input {self.name}: shape {shape}; send [{expected}]")

    def _fits(self, axes: tuple[str | int, ...]) -> bool:
        return len(self.shape) == len(axes) and all(
            0 <= size < _LARGEST_AXIS and axis in (size, str(axis))
            for size, axis in zip(self.shape, axes, strict=True)
        )


def input_datatype(contract: Contract) -> str:
    """What a model takes as x: measurements are FP32, tokens INT64."""
    return INT64 if contract.vocabulary is not None else FP32


def from_bytes(name: str, datatype: str, data: bytes | memoryview) -> NDArray[Any]:
    """A flat array of little-endian bytes, without a copy. Raises BadShape."""
    kind = DTYPES[datatype]
    if len(data) % kind.itemsize:
        raise BadShape(f"input {name}: {len(data)} bytes are no whole number of {datatype} values")
    return np.frombuffer(data, kind)


def from_json(name: str, datatype: str, most: int, data: msgspec.Raw) -> NDArray[Any]:
    """An array of JSON numbers, flat or nested; of a large text at most so many are read.

    Raises BadShape, BadValue.
    """
    text = memoryview(data)
    sequences = max(min(_MOST_SEQUENCES, len(text) // 2), 1)  # each takes "1," at least
    if datatype == FP32 and (numbers := read_numbers(text, sequences, most)) is not None:
        return numbers.values
    if len(text) > LARGE:
        return _in_pieces(name, datatype, most, text)
    opening = _BRACKETS.match(data)
    depth = opening[0].count(b"[") if opening else 0
    if not 1 <= depth <= _MOST_AXES:
        raise BadShape(f"input {name}: data is an array of numbers, flat or nested as its shape is")
    try:
        return from_numbers(name, datatype, nested_decoder(DTYPES[datatype], depth).decode(data))
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadValue(f"input {name}: data: {quoted(error)}") from None


def _in_pieces(name: str, datatype: str, most: int, text: memoryview) -> NDArray[Any]:
    """The numbers of a large text one after the other, however they are nested."""
    arrays, place, decoder = [], 0, nested_decoder(DTYPES[datatype], 1)
    while place < len(text):
        end = _end_of_number(name, text, place + PIECE)
        piece = bytes(text[place:end]).translate(_SPACES).strip(b", \t\r\n")
        place = end
        try:
            numbers = decoder.decode(b"[%b]" % piece)
        except msgspec.DecodeError as error:
            raise BadValue(f"input {name}: data: {quoted(error)}, near byte {end}") from None
        arrays.append(from_numbers(name, datatype, numbers))
        most -= len(numbers)
        if most < 0:
            raise BadShape(f"input {name}: data has more numbers than its shape")
    return np.concatenate(arrays)


def _end_of_number(name: str, text: memoryview, place: int) -> int:
    """Behind the number that stands at this place. Raises BadValue where that is far."""
    found = _END.search(bytes(text[place : place + _LONGEST]))
    if found is not None:
        return place + found.start()
    if place + _LONGEST < len(text):
        raise BadValue(
            f"input {name}: data: no number ends in the {_LONGEST} bytes from byte {place} on"
        )
    return len(text)


def from_numbers(name: str, datatype: str, numbers: Sequence[Any]) -> NDArray[Any]:
    """An array of Python's numbers. Raises BadShape, BadValue."""
    try:
        with np.errstate(over="ignore"):  # an infinity is refused with its place
            return np.asarray(numbers, dtype=DTYPES[datatype])
    except OverflowError:
        raise BadValue(f"input {name}: a number does not fit {datatype}") from None
    except ValueError:
        raise BadShape(f"input {name}: its rows have different lengths") from None
