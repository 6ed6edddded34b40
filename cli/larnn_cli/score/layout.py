"""Which columns of a table are a model's steps, and how their numbers become the model's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from larnn_export.data import DataError
from larnn_service.conversion.conversion import Conversion
from larnn_service.conversion.names import Names
from larnn_service.errors import BadValue
from larnn_service.interfaces import Floats, Model, RowState, Steps
from larnn_service.wire.arrays import checked

_LISTED = 16
"""Columns that an error names."""


class Layout:
    """Of all tables of a run."""

    def __init__(
        self,
        model: Model,
        by: Sequence[str] = (),
        column: str | None = None,
        conversion: Conversion | None = None,
        start: RowState | None = None,
    ) -> None:
        """`by`: columns where a change starts another recording. `column`: the one that holds a
        step's numbers as a list; else each channel is a column of its name. `conversion`: what
        makes the numbers those of the model. `start`: the state before a recording's first step,
        where it is told something."""
        step = model.manifest.contract.input
        self.by, self.start = tuple(by), start or model.initial
        self._model, self._conversion, self._width = model, conversion, step.width
        self._is_list = column is not None
        self._channels = Names(step, model.manifest.name).channels if column is None else [column]
        self.columns = [*self._channels, *self.by]
        """That are read."""

    @contextlib.contextmanager
    def readable(self) -> Iterator[None]:
        """Whatever a damaged file raises becomes a DataError."""
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"it cannot be read: {error}") from error

    def check(self, schema: pa.Schema) -> None:
        """Raises DataError where a table has not these columns, or other things than numbers."""
        if missing := [name for name in self.columns if name not in schema.names]:
            has = ", ".join(schema.names[:_LISTED])
            raise DataError(f"no column {missing[0]!r}; it has {has}")
        for name in self._channels:
            kind = schema.field(name).type
            if self._is_list != hasattr(kind, "value_type"):
                hint = "" if self._is_list else ", as --column takes them"
                raise DataError(f"column {name!r} has {kind}: lists of numbers{hint}")
            number = kind.value_type if self._is_list else kind
            if not (pa.types.is_integer(number) or pa.types.is_floating(number)):
                raise DataError(f"column {name!r} has {kind}; numbers are asked for")

    def steps(self, batch: pa.RecordBatch, row: int) -> Steps:
        """[rows, width], as the model takes them; `row`: the first one's place in its file.

        Raises DataError.
        """
        columns = [batch.column(name) for name in self._channels]
        for name, column in zip(self._channels, columns, strict=True):
            if column.null_count:
                empty = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
                raise DataError(f"row {row + empty}: column {name!r} is empty")
        array = self._of_lists(columns[0], row) if self._is_list else _of_numbers(columns)
        if self._conversion is not None:
            array = self._conversion(array)
        try:
            return checked(array, self._model, "")
        except BadValue as error:
            raise DataError(f"from row {row} on, [row][channel] {error.detail}") from error

    def _of_lists(self, column: pa.Array, row: int) -> Floats:
        numbers = column.flatten()
        if numbers.null_count or len(numbers) != len(column) * self._width:
            raise DataError(f"from row {row} on: lists of {self._width} numbers are asked for")
        flat: Floats = numbers.to_numpy(zero_copy_only=False).astype(np.float32)
        return flat.reshape(-1, self._width)


def _of_numbers(columns: Sequence[pa.Array]) -> Floats:
    array = np.empty((len(columns[0]), len(columns)), np.float32)
    with np.errstate(over="ignore"):  # what is not finite is refused
        for index, column in enumerate(columns):
            array[:, index] = column.to_numpy(zero_copy_only=False)
    return array
