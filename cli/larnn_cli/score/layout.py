"""Which columns of a table are a model's steps, and how their numbers become the model's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from larnn_export.data import DataError
from larnn_service.conversion.conversion import Conversion
from larnn_service.conversion.names import Names
from larnn_service.errors import BadValue
from larnn_service.interfaces import Floats, Model, RowState, Steps
from larnn_service.wire.arrays import checked

_LISTED = 16
"""Columns that an error names."""
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_NUMBERS = (pa.types.is_integer, pa.types.is_floating)
_KEYS = (
    pa.types.is_primitive,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_fixed_size_binary,
    pa.types.is_decimal128,
    pa.types.is_decimal256,
)
"""Types whose values tell recordings apart."""


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
        self.by, self.start = tuple(dict.fromkeys(by)), start or model.initial
        self._model, self._conversion, self._width = model, conversion, step.width
        self._is_list = column is not None
        self._channels = Names(step, model.manifest.name).channels if column is None else [column]
        self.columns = list(dict.fromkeys([*self._channels, *self.by]))
        """That are read."""

    def check(self, schema: pa.Schema) -> None:
        """Raises DataError where a table has not these columns, or other things than numbers."""
        for name in self.columns:
            if (count := schema.names.count(name)) > 1:
                raise DataError(f"{count} columns are called {name!r}; give each its own name")
            if not count:
                has = ", ".join(schema.names[:_LISTED])
                raise DataError(f"no column {name!r}; it has {has}")
        for name in self._channels:
            kind = plain_type(schema.field(name).type)
            if self._is_list != _is(kind, _LISTS):
                hint = "" if self._is_list else ", as --column takes them"
                raise DataError(f"column {name!r} has {kind}: lists of numbers{hint}")
            if not _is(kind.value_type if self._is_list else kind, _NUMBERS):
                raise DataError(f"column {name!r} has {kind}; numbers are asked for")
        for field in self.keys(schema):
            if not _is(field.type, _KEYS):
                raise DataError(
                    f"--by column {field.name!r} has {field.type}; numbers, times, text or bytes "
                    "tell recordings apart"
                )

    def keys(self, schema: pa.Schema) -> list[pa.Field]:
        """The columns that tell recordings apart, as `plain` makes them."""
        return [pa.field(name, plain_type(schema.field(name).type)) for name in self.by]

    def steps(self, batch: pa.RecordBatch, row: int) -> Steps:
        """[rows, width], as the model takes them; `row`: the first one's place in its file.

        Raises DataError.
        """
        columns = [plain(batch.column(name)) for name in self._channels]
        for name, column in zip(self._channels, columns, strict=True):
            if column.null_count:
                raise DataError(f"row {row + _first_null(column)}: column {name!r} is empty")
        with np.errstate(over="ignore"):  # what is not finite is refused
            array = self._of_lists(columns[0], row) if self._is_list else _of_numbers(columns)
        if self._conversion is not None:
            array = self._conversion(array)
        try:
            return checked(array, self._model, "")
        except BadValue as error:
            raise DataError(f"from row {row} on, [row][channel] {error.detail}") from error

    def _of_lists(self, column: pa.Array, row: int) -> Floats:
        lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
        if len(wrong := np.flatnonzero(lengths != self._width)):
            has = f"has {lengths[wrong[0]]} numbers; lists of {self._width} are asked for"
            raise DataError(f"row {row + wrong[0]}: column {self._channels[0]!r} {has}")
        numbers = column.flatten()
        if numbers.null_count:
            at, channel = divmod(_first_null(numbers), self._width)
            raise DataError(f"row {row + at}: [{channel}] of {self._channels[0]!r} is empty")
        flat: Floats = numbers.to_numpy(zero_copy_only=False).astype(np.float32)
        return flat.reshape(-1, self._width)


def plain(column: pa.Array) -> pa.Array:
    """The values themselves: what an extension stores, what a dictionary's indices mean."""
    while isinstance(column, pa.ExtensionArray):
        column = column.storage
    return column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column


def plain_type(kind: pa.DataType) -> pa.DataType:
    """That `plain` makes of it."""
    while isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is(kind: pa.DataType, kinds: Sequence[Callable[[pa.DataType], bool]]) -> bool:
    return any(is_one(kind) for is_one in kinds)


def _first_null(column: pa.Array) -> int:
    return int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))


def _of_numbers(columns: Sequence[pa.Array]) -> Floats:
    array = np.empty((len(columns[0]), len(columns)), np.float32)
    for index, column in enumerate(columns):
        array[:, index] = column.to_numpy(zero_copy_only=False)
    return array
