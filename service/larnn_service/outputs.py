"""What a network gives for each step: named outputs, each with a task that says how it is read.

The service carries all outputs of a step side by side, as one row of float32 *columns*: kept for a
client that has lost an answer, they are one array however many there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

Floats = NDArray[np.float32]
Task = Literal["classes", "tags", "probability", "values", "raw"]
"""How an output is read. `classes`: logits of labels of which one holds, read by softmax. `tags`:
logits of labels that hold or not, each by itself, read by a sigmoid. `probability`: a probability
of each label, as it comes. `values`: numbers with names and units. `raw`: an array."""
OutputDtype = Literal[
    "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"
]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=100)]
LOGITS = "logits"
"""The output of a classifier, unless it is named otherwise."""
UNSURE = "unsure"
"""Said in place of a label where an output is larger than its `unsure_above`."""
_FLOATS = ("float16", "float32", "float64")
_FEWEST = {"classes": 2, "tags": 1, "probability": 1, "values": 1}
_COLUMN = 4
"""Bytes."""


class Strict(BaseModel):
    """A part of a manifest: it never changes, and has no fields but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Channel(Strict):
    """A measured or predicted quantity and its physical unit."""

    name: str
    unit: str


class Output(Strict):
    """One output: a tensor [batch, steps, …] of the graph."""

    name: Name
    task: Task
    labels: tuple[str, ...] = Field((), exclude_if=lambda value: not value)
    """For classes, tags and probabilities: what each number is of."""
    values: tuple[Channel, ...] = Field((), exclude_if=lambda value: not value)
    """For values: what each number is."""
    shape: tuple[Annotated[int, Field(ge=1)], ...] = Field((), exclude_if=lambda value: not value)
    """For raw: of one step; empty for a number."""
    dtype: OutputDtype = "float32"
    unsure_above: float | None = Field(
        None, allow_inf_nan=False, exclude_if=lambda value: value is None
    )
    """For a single value: where it is larger, the answer is not to be relied on."""

    @model_validator(mode="after")
    def _has_what_its_task_needs(self) -> Self:
        named = {"raw": self.shape, "values": self.values}.get(self.task, self.labels)
        given = [field for field in (self.labels, self.values, self.shape) if field]
        field = {"raw": "shape", "values": "values"}.get(self.task, "labels")
        if given not in ([], [named]):
            raise ValueError(f"output {self.name}: {self.task} takes {field} alone")
        if len(named) < _FEWEST.get(self.task, 0):
            least = _FEWEST[self.task]
            raise ValueError(f"output {self.name}: {self.task} needs {least} {field} at least")
        names = self.names
        if len(set(names)) != len(names):
            raise ValueError(f"output {self.name}: names must be unique, got {list(names)}")
        if self.task != "raw" and self.dtype not in _FLOATS:
            raise ValueError(f"output {self.name}: {self.task} are floats, not {self.dtype}")
        if self.unsure_above is not None and (len(self.values) != 1 or self.dtype != "float32"):
            raise ValueError(f"output {self.name}: unsure_above is of a single value, float32")
        return self

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of its numbers, where they have any."""
        return self.labels or tuple(value.name for value in self.values)

    @cached_property
    def step_shape(self) -> tuple[int, ...]:
        """Of one step."""
        return self.shape if self.task == "raw" else (len(self.names),)

    @cached_property
    def columns(self) -> int:
        """How many float32 columns hold one step of it."""
        return math.prod(self.step_shape) * max(np.dtype(self.dtype).itemsize // _COLUMN, 1)

    def to_columns(self, array: NDArray[Any]) -> Floats:
        """[…, *step_shape] → […, columns]. Eight bytes take two columns, bit by bit."""
        before = array.shape[: array.ndim - len(self.step_shape)]
        flat = array.reshape(*before, math.prod(self.step_shape))
        if self.dtype == "float32":
            return flat
        if flat.dtype.itemsize < _COLUMN:
            return flat.astype(np.float32)
        return np.ascontiguousarray(flat).view(np.float32)

    def from_columns(self, columns: Floats) -> NDArray[Any]:
        """[…, columns] → […, *step_shape], as the graph gave it."""
        if self.dtype == "float32" and len(self.step_shape) == 1:
            return columns
        shape = (*columns.shape[:-1], *self.step_shape)
        if self.dtype == "float32":
            return columns.reshape(shape)
        dtype = np.dtype(self.dtype)
        if dtype.itemsize < _COLUMN:
            return columns.astype(dtype).reshape(shape)
        return np.ascontiguousarray(columns).view(dtype).reshape(shape)

    def is_good(self, array: NDArray[Any]) -> bool:
        """Whether these are answers: finite, but for a logit of -inf, which says that something
        cannot be."""
        if self.dtype not in _FLOATS or np.isfinite(array).all():
            return True
        if self.task not in ("classes", "tags"):
            return False
        possible = array > -np.inf  # false for NaN too
        any_is = possible.any(axis=-1).all() or self.task == "tags"
        return bool(any_is and not np.isnan(array).any() and not (array == np.inf).any())


def classes(labels: Sequence[str], name: str = LOGITS) -> tuple[Output, ...]:
    """The outputs of a classifier: the logits of its labels alone."""
    return (Output(name=name, task="classes", labels=tuple(labels)),)


def to_columns(outputs: Sequence[Output], arrays: Sequence[NDArray[Any]]) -> Floats:
    """All outputs side by side: […, columns] of arrays […, *step_shape]; a single one of float32 is
    a view of the array itself."""
    each = [output.to_columns(array) for output, array in zip(outputs, arrays, strict=True)]
    return each[0] if len(each) == 1 else np.concatenate(each, axis=-1)


def spans(outputs: Sequence[Output]) -> Iterator[tuple[Output, slice]]:
    """Each output, and which of the columns side by side are its own."""
    start = 0
    for output in outputs:
        yield output, slice(start, start + output.columns)
        start += output.columns


def from_columns(outputs: Sequence[Output], columns: Floats) -> dict[str, NDArray[Any]]:
    """Each output by its name: […, *step_shape] of […, columns]."""
    return {output.name: output.from_columns(columns[..., own]) for output, own in spans(outputs)}


def check_doubt(outputs: Sequence[Output]) -> None:
    """Raises ValueError where more than one output, or one of no classes, has `unsure_above`."""
    telling = [output for output in outputs if output.unsure_above is not None]
    if telling and (len(telling) > 1 or outputs[0].task != "classes"):
        raise ValueError("outputs: unsure_above is of one output, beside an answer of classes")
    if telling and UNSURE in outputs[0].labels:
        raise ValueError(f"outputs: {UNSURE} is said in place of a label, and cannot be one")


def doubt(outputs: Sequence[Output]) -> tuple[int, float] | None:
    """The column that tells when the answer is unsure, and above what; None where none does."""
    for output, own in spans(outputs):
        if output.unsure_above is not None:
            return own.start, output.unsure_above
    return None


def are_good(outputs: Sequence[Output], columns: Floats) -> bool:
    """Whether all of them are answers that a client can be given."""
    arrays: Mapping[str, NDArray[Any]] = from_columns(outputs, columns)
    return all(output.is_good(arrays[output.name]) for output in outputs)
