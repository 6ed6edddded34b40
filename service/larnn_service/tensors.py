"""Tensors that go along with a stream's steps: state, which each run moves, and context, which is
given once."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from larnn_service.outputs import Name, Strict

ContextDtype = Literal[
    "float16",
    "float32",
    "float64",
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
]
StateDtype = Literal[ContextDtype, "bfloat16"]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_EXPONENT = 0x7F80
"""Of a bfloat16: all ones where it is not finite."""


class File(Strict):
    """A file beside the manifest."""

    file: FileName
    sha256: Sha256


class CarriedTensor(Strict):
    """A graph input [batch, *shape] that a stream brings along."""

    name: Name
    shape: tuple[Annotated[int, Field(ge=1)], ...]
    """Without the batch axis, which comes first in the graph."""
    dtype: StateDtype

    @cached_property
    def numpy_dtype(self) -> np.dtype[Any]:
        """Of its arrays: a bfloat16, which numpy does not know, is held as its bits."""
        return np.dtype("uint16" if self.dtype == "bfloat16" else self.dtype)

    @property
    def nbytes(self) -> int:
        """Of one row."""
        return math.prod(self.shape) * self.numpy_dtype.itemsize

    def filled(self, value: float) -> NDArray[Any]:
        """Array [*shape] of this number. Raises ValueError where the dtype does not have it."""
        return np.full(self.shape, self._element(value))

    def _element(self, value: float) -> NDArray[Any]:
        kind = self.numpy_dtype.kind
        if self.dtype == "bfloat16":
            with np.errstate(over="ignore"):
                element: NDArray[Any] = _bfloat16(np.array(value, np.float32))
        elif kind in "iu" and value == int(value) and _fits(int(value), self.numpy_dtype):
            element = np.array(int(value), self.numpy_dtype)
        elif kind == "f" or (kind == "b" and value in (0, 1)):
            with np.errstate(over="ignore"):
                element = np.array(value, self.numpy_dtype)
        else:
            raise ValueError(f"{self.name}: {value} is no {self.dtype}")
        if not self.is_good(element):
            raise ValueError(f"{self.name}: {value} is no finite {self.dtype}")
        return element

    def is_good(self, array: NDArray[Any]) -> bool:
        """Whether each element is one that the dtype has, and finite."""
        if self.dtype == "bfloat16":
            return bool((array & _EXPONENT != _EXPONENT).all())
        if array.dtype.kind == "f":
            return bool(np.isfinite(array).all())
        return array.dtype.kind != "b" or bool((array.view(np.uint8) <= 1).all())

    def _check_number(self, value: float | File | None) -> None:
        if isinstance(value, int | float):
            if not math.isfinite(value):
                raise ValueError(f"{self.name}: {value} is no finite {self.dtype}")
            self._element(value)


class StateTensor(CarriedTensor):
    """One tensor of the recurrent state: graph input `name`, graph output `next_<name>`."""

    initial: float | File = 0.0
    """Before the first step: the value of every element, or an npy file of the tensor [*shape]."""
    maximum: Annotated[int, Field(ge=0)] | None = None
    """Of an integer that is between 0 and this."""
    description: str

    @model_validator(mode="after")
    def _starts_with_what_it_can_hold(self) -> Self:
        self._check_number(self.initial)
        return self

    @property
    def next_name(self) -> str:
        return f"next_{self.name}"

    def initial_array(self, batch: int) -> NDArray[Any]:
        """Array [batch, *shape] as it is before the first step, where no file has it."""
        if isinstance(self.initial, File):
            raise ValueError(f"{self.name}: its initial value is in {self.initial.file}")
        return np.repeat(self.filled(self.initial)[None], batch, axis=0)


class ContextTensor(CarriedTensor):
    """A graph input that is given once: when a stream opens, or with a request."""

    dtype: ContextDtype
    default: float | File | None = Field(None, exclude_if=lambda value: value is None)
    """Where a client gives none: the value of every element, or an npy file of the tensor [*shape].
    None where a client must give it."""
    description: str

    @model_validator(mode="after")
    def _has_a_default_that_it_can_hold(self) -> Self:
        self._check_number(self.default)
        return self


def _fits(value: int, dtype: np.dtype[Any]) -> bool:
    return np.iinfo(dtype).min <= value <= np.iinfo(dtype).max


def _bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The bits of the nearest bfloat16, of two the even one."""
    bits = values.view(np.uint32)
    return np.asarray((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16, np.uint16)
