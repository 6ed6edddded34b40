"""CSV and Parquet tables as people have them: read, and checked down to the cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PolarsError

from larnn_export.data.errors import DataError
from larnn_export.data.reading import LINE, read_text

MISSING = ("", "NA", "NaN", "nan", "null")
"""Cells of text that hold no value."""
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


class Table:
    """A file of columns, one row a step. Every DataError names file, row and column."""

    def __init__(
        self, path: Path, header: bool = True, more: Mapping[str, str] | None = None
    ) -> None:
        """Reads .parquet, and anything else as text with or without a `header` line; `more` are
        columns with the same value in each row."""
        self.path = path
        self._is_text = path.suffix.lower() != ".parquet"
        self._header = header
        self._has_commas = False
        try:
            if self._is_text:
                self._frame, self._has_commas = read_text(path, header)
            else:
                self._frame = pl.read_parquet(path, glob=False).with_row_index(LINE)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
        except PolarsError as error:
            raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
        if not len(self):
            raise DataError(f"{path} has no rows")
        self._frame = self._frame.with_columns(
            **{name: pl.lit(value) for name, value in (more or {}).items()}
        )

    def __len__(self) -> int:
        return self._frame.height

    @property
    def columns(self) -> list[str]:
        return [name for name in self._frame.columns if name != LINE]

    def numbers(self, columns: Sequence[str], *, missing: bool = False) -> NDArray[np.float64]:
        """[rows, columns], all finite; where values may be `missing`, NaN stands for them."""
        values = np.empty((len(self), len(columns)))
        for index, column in enumerate(columns):
            cells = self._column(column)
            if cells.dtype != pl.String and not cells.dtype.is_numeric():
                raise DataError(f"{self.path}: column {column!r} holds {cells.dtype}, no numbers")
            values[:, index] = self._as_numbers(cells)
            wrong = ~np.isfinite(values[:, index])
            wrong |= np.abs(values[:, index]) > np.finfo(np.float32).max
            if missing:
                wrong &= ~self._are_missing(cells)
            if wrong.any():
                raise self._complaint(int(wrong.argmax()), column, "is no finite number")
        return values

    def times(self, column: str, unit: str) -> NDArray[np.float64]:
        """[rows] in seconds: numbers of a unit of SECONDS, or dates; those of text by ISO 8601."""
        cells = self._column(column)
        if unit == "date" and cells.dtype == pl.String:
            cells = _dates(cells.str.strip_chars())
        if unit in SECONDS and not cells.dtype.is_temporal():
            return self.numbers([column])[:, 0] * SECONDS[unit]
        if cells.dtype not in (pl.Datetime, pl.Date):
            raise DataError(f"{self.path}: column {column!r} holds {cells.dtype}, no dates")
        if cells.has_nulls():
            raise self._complaint(int(cells.is_null().arg_max() or 0), column, "is no date")
        return cells.cast(pl.Datetime("ns")).cast(pl.Int64).to_numpy() * 1e-9

    def texts(self, column: str, *, empty: bool = False) -> list[str]:
        """[rows]; none of them empty, unless they may be."""
        read = self._column(column).cast(pl.String, strict=False).fill_null("")
        found = read.str.strip_chars().to_list()
        for row, text in enumerate(() if empty else found):
            if not text:
                raise self._complaint(row, column, "is empty")
        return found

    def place(self, row: int) -> str:
        """A row as the file's editor shows it: lines of a text count its header."""
        line = int(self._frame[LINE][row])
        return f"line {line + 1 + self._header}" if self._is_text else f"row {line + 1}"

    def _column(self, name: str) -> pl.Series:
        if name not in self.columns:
            found = ", ".join(self.columns)
            raise DataError(f"{self.path} has no column {name!r}; its columns are {found}")
        return self._frame[name]

    def _as_numbers(self, cells: pl.Series) -> NDArray[np.float64]:
        if cells.dtype == pl.String:
            cells = cells.str.strip_chars()
            if self._has_commas:
                cells = cells.str.replace(",", ".", literal=True)
        return cells.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()

    def _are_missing(self, cells: pl.Series) -> NDArray[np.bool_]:
        if cells.dtype == pl.String:
            return cells.fill_null("").str.strip_chars().is_in(MISSING).to_numpy()
        return (cells.is_null() | cells.cast(pl.Float64).is_nan()).fill_null(True).to_numpy()

    def _complaint(self, row: int, column: str, what: str) -> DataError:
        cell = self._frame[column][row]
        what = "the cell is empty" if cell in (None, "") else f"{cell!r} {what}"
        return DataError(f"{self.path}, {self.place(row)}, column {column!r}: {what}")


def _dates(cells: pl.Series) -> pl.Series:
    """Text by ISO 8601; null for what is no date."""
    try:
        return cells.str.to_datetime(strict=False, time_unit="ns")
    except PolarsError:  # it has found no form in the first cells
        return pl.Series([None] * len(cells), dtype=pl.Datetime("ns"))
