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
from larnn_service.errors import BadMessage, BadShape, BadValue
from larnn_service.wire.json_numbers import read_numbers

FP32, INT64 = "FP32", "INT64"
DTYPES: dict[str, np.dtype[Any]] = {FP32: np.dtype("<f4"), INT64: np.dtype("<i8")}
_NUMBERS: dict[str, list[Any]] = {
    FP32: [list[float], list[list[float]], list[list[list[float]]]],
    INT64: [list[int], list[list[int]], list[list[list[int]]]],
}
_DECODERS = {name: [msgspec.json.Decoder(kind) for kind in _NUMBERS[name]] for name in _NUMBERS}
_BRACKETS = re.compile(rb"\s*(?:\[\s*)+")
_LARGEST_AXIS = 2**31
_MOST_SEQUENCES = 2**16
"""Outermost arrays that the number reader has room for."""


@dataclass(frozen=True)
class Tensor:
    """An input as it came; `read` gives its array for a datatype that is in `DTYPES`."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    read: Callable[[], NDArray[Any]]

    def array(self, datatype: str, *axes: str | int) -> NDArray[Any]:
        """Its axes are these: a number is a size, a word says what any size is of.

        Raises BadMessage, BadShape, BadValue.
        """
        if self.datatype != datatype:
            raise BadMessage(f"input {self.name}: its datatype is {self.datatype}; send {datatype}")
        size = math.prod(self.shape)
        if not self._fits(axes) or (not size and self.shape[0] > 1):
            expected = ", ".join(map(str, axes))
            raise BadShape(f"input {self.name}: shape {list(self.shape)}; send [{expected}]")
        array = self.read()
        if array.size != size:
            raise BadShape(
                f"input {self.name}: {array.size} numbers; {list(self.shape)} takes {size}"
            )
        return array.reshape(self.shape)

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


def from_json(name: str, datatype: str, data: msgspec.Raw) -> NDArray[Any]:
    """An array of JSON numbers, flat or nested. Raises BadShape, BadValue."""
    if datatype == FP32 and (numbers := read_numbers(bytes(data), _MOST_SEQUENCES)) is not None:
        return numbers.values
    opening = _BRACKETS.match(data)
    depth = opening[0].count(b"[") if opening else 0
    decoders = _DECODERS[datatype]
    if not 1 <= depth <= len(decoders):
        raise BadShape(f"input {name}: data is an array of numbers, flat or nested as its shape is")
    try:
        return from_numbers(name, datatype, decoders[depth - 1].decode(data))
    except msgspec.ValidationError as error:
        raise BadValue(f"input {name}: data: {error}") from None


def from_numbers(name: str, datatype: str, numbers: Sequence[Any]) -> NDArray[Any]:
    """An array of Python's numbers. Raises BadShape, BadValue."""
    try:
        with np.errstate(over="ignore"):  # an infinity is refused with its place
            return np.asarray(numbers, dtype=DTYPES[datatype])
    except OverflowError:
        raise BadValue(f"input {name}: a number does not fit {datatype}") from None
    except ValueError:
        raise BadShape(f"input {name}: its rows have different lengths") from None
