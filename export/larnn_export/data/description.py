"""dataset.toml or dataset.json: what the columns of somebody's own tables mean."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from larnn_export.data.errors import DataError
from larnn_export.reasons import field_errors
from larnn_service.contract import Channel, Input
from larnn_service.conversion.conversion import Conversion, conversion

FILES = ("dataset.toml", "dataset.json")
TESTS = ("test_subjects", "test_files", "test_rows", "test_fraction")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _name(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Column = Annotated[str, BeforeValidator(_name)]
"""A column's name, or its number from 1 where tables have no header."""


Pattern = Annotated[str, Field(pattern=r"^[^/]")]
"""Of names or paths below a folder."""


class ChannelColumn(_Strict):
    """An input channel, and the column that holds it."""

    name: str = Field(min_length=1)
    unit: str
    column: Column = ""
    """The channel's name, unless given."""
    source: str = ""
    """Another file in the table's folder that holds it, with times of the same clock."""


class Window(_Strict):
    """How recordings are cut, in steps."""

    steps: int = Field(ge=1)
    hop: int | None = Field(None, ge=1)
    """From the start of a window to the next one's; half a window, unless given."""
    pad: bool = False
    """Whether a shorter recording is made as long as a window by repeating its first step; else it
    is left out."""


class Reading(_Strict):
    """How tables are read: what is steady by itself needs none of it."""

    header: bool = True
    """Whether the first line of a text names the columns."""
    time: Column = ""
    """Column of when a row was measured: rows are put onto `sample_rate_hz` by it."""
    time_unit: Literal["s", "ms", "us", "ns", "date"] = "s"
    """Of `time`; "date" for dates and times of day, in text by ISO 8601."""
    missing: Literal["refuse", "hold", "interpolate"] = "refuse"
    """What stands in the place of an empty cell: nothing, the value before it, or what lies between
    the values around it."""
    longest_gap: float = Field(0.5, gt=0, allow_inf_nan=False)
    """Seconds that may be missing or lie between two rows; beyond, a recording begins anew."""
    units: str = ""
    """In which the tables' numbers are, where the channels' units are to be others."""
    axes: str = ""
    """As which the sensors measured, where the channels are to be others."""


class RowsWhere(_Strict):
    """Rows by what a column says."""

    column: Column
    values: tuple[Column, ...] = Field(min_length=1)


class Description(Reading):
    """All that the tables do not say themselves."""

    title: str = ""
    about: str = ""
    terms: str = ""
    """On which terms the data is given away."""
    sample_rate_hz: float = Field(gt=0, allow_inf_nan=False)
    files: tuple[Pattern, ...] = ("*.csv", "*.tsv", "*.parquet")
    """The tables, by their names or paths below the description."""
    path: str = ""
    """A regular expression whose named groups make columns of a table's path."""
    label: Column = "label"
    """Column of what a step shows."""
    subject: Column | None = None
    """Column of whose step it is: `subject`, if there is one; else each file is one's own."""
    recording: tuple[Column, ...] = ()
    """Further columns where a change starts a new recording; a new file always does."""
    labels: tuple[Column, ...] = ()
    """In the order of the logits; all that occur, sorted, unless given."""
    label_names: dict[str, str] = {}
    """What the labels in the tables are to be called."""
    ignore_labels: tuple[Column, ...] = ()
    """Rows with these labels are left out; "" for rows without one."""
    test_subjects: tuple[Column, ...] = ()
    """People who are measured once, and chose and taught nothing."""
    test_files: tuple[Pattern, ...] = ()
    """The same by files, named as in `files`."""
    test_rows: RowsWhere | None = None
    """The same by what a column says."""
    test_fraction: float | None = Field(None, gt=0, lt=1)
    """The same by the last part of each recording."""
    channels: tuple[ChannelColumn, ...] = Field(min_length=1)
    window: Window

    @property
    def hop(self) -> int:
        return self.window.hop or max(self.window.steps // 2, 1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for field, names in (
            ("channels", [channel.name for channel in self.channels]),
            ("labels", list(self.labels)),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"{field}: names must be unique, got {', '.join(names)}")
        return self

    @model_validator(mode="after")
    def _units_and_axes_are_of_the_channels(self) -> Self:
        made_of(self.channels, self)
        return self

    @model_validator(mode="after")
    def _the_test_is_told_once(self) -> Self:
        told = [name for name in TESTS if getattr(self, name)]
        if len(told) != 1:
            raise ValueError(
                f"who is only measured is told by one of {', '.join(TESTS)}; "
                f"{' and '.join(told) or 'none'} is given"
            )
        return self

    @model_validator(mode="after")
    def _sources_have_times(self) -> Self:
        others = [channel.name for channel in self.channels if channel.source]
        if others and not self.time:
            raise ValueError(f"channels {', '.join(others)} of another file ask for a time column")
        if len(others) == len(self.channels):
            raise ValueError("a channel without `source` belongs to `files`; there is none")
        return self

    @model_validator(mode="after")
    def _the_path_is_an_expression(self) -> Self:
        try:
            re.compile(self.path)
        except re.error as error:
            raise ValueError(f"path is no regular expression: {error}") from error
        return self


def made_of(channels: Sequence[ChannelColumn], reading: Reading) -> Conversion | None:
    """What makes a table's numbers those of the channels; None where they are. Raises ValueError
    where the reading's units or axes cannot be."""
    if not reading.units and not reading.axes:
        return None
    named = tuple(Channel(name=channel.name, unit=channel.unit) for channel in channels)
    return conversion(Input(channels=named), "the description", reading.units, reading.axes)


def description_file(path: Path) -> Path | None:
    """The description that a folder holds, or that the path itself is; None where there is none."""
    if path.name in FILES and path.is_file():
        return path
    return next((path / name for name in FILES if (path / name).is_file()), None)


def read_description(file: Path) -> Description:
    """Raises DataError with the file and the field."""
    try:
        text = file.read_text(encoding="utf-8")
        fields = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
        return Description.model_validate(fields)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise DataError(f"{file}: {field_errors(error)}; see docs/own-data.md") from error
    except ValueError as error:
        raise DataError(f"{file} cannot be read: {error}") from error
