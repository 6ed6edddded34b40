"""CSV and Parquet tables as people have them: read, and checked down to the cell."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PolarsError

from larnn_export.data.errors import DataError

SEPARATORS = ",;\t"


class Table:
    """A file of named columns, one row a step. Every DataError names file, row and column."""

    def __init__(self, path: Path) -> None:
        """Reads .csv, with a header and comma, semicolon or tab between the cells, or .parquet."""
        self.path = path
        self._is_csv = path.suffix.lower() == ".csv"
        try:
            self._frame = _read_csv(path) if self._is_csv else pl.read_parquet(path, glob=False)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
        except PolarsError as error:
            raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
        if not len(self):
            raise DataError(f"{path} has no rows")

    def __len__(self) -> int:
        return self._frame.height

    @property
    def columns(self) -> list[str]:
        return self._frame.columns

    def numbers(self, columns: Sequence[str]) -> NDArray[np.float32]:
        """[rows, columns], all finite."""
        values = np.empty((len(self), len(columns)), np.float32)
        for index, column in enumerate(columns):
            cells = self._column(column)
            if cells.dtype == pl.String:
                cells = cells.str.strip_chars()
            elif not cells.dtype.is_numeric():
                raise DataError(f"{self.path}: column {column!r} holds {cells.dtype}, no numbers")
            read = cells.cast(pl.Float64, strict=False)
            with np.errstate(over="ignore"):
                values[:, index] = read.fill_null(np.nan).to_numpy()
            wrong = np.flatnonzero(~np.isfinite(values[:, index]))
            if len(wrong):
                raise self._complaint(int(wrong[0]), column, "is no finite number")
        return values

    def texts(self, column: str) -> list[str]:
        """[rows]; none of them empty."""
        read = self._column(column).cast(pl.String, strict=False).str.strip_chars().to_list()
        for row, text in enumerate(read):
            if not text:
                raise self._complaint(row, column, "is empty")
        return read

    def changes(self, columns: Sequence[str]) -> list[tuple[int, int]]:
        """From which row to which the values in these columns stay what they are."""
        if not columns:
            return [(0, len(self))]
        keys = list(zip(*(self.texts(column) for column in columns), strict=True))
        edges = [row for row in range(1, len(keys)) if keys[row] != keys[row - 1]]
        return list(zip([0, *edges], [*edges, len(keys)], strict=True))

    def place(self, row: int) -> str:
        """A row as the file's editor shows it: lines of a CSV count its header."""
        return f"line {row + 2}" if self._is_csv else f"row {row + 1}"

    def _column(self, name: str) -> pl.Series:
        if name not in self._frame.columns:
            found = ", ".join(self._frame.columns)
            raise DataError(f"{self.path} has no column {name!r}; its columns are {found}")
        return self._frame[name]

    def _complaint(self, row: int, column: str, what: str) -> DataError:
        cell = self._frame[column][row]
        what = "the cell is empty" if cell in (None, "") else f"{cell!r} {what}"
        return DataError(f"{self.path}, {self.place(row)}, column {column!r}: {what}")


def _read_csv(path: Path) -> pl.DataFrame:
    """Every cell as text, so that a bad one can be named."""
    with path.open("rb") as file:
        header = file.readline().decode(errors="replace")
    separator = max(SEPARATORS, key=header.count)
    try:
        table = pl.read_csv(path, separator=separator, infer_schema=False, glob=False)
    except PolarsError:
        _check_widths(path, separator)
        raise
    return table.rename({name: name.strip() for name in table.columns})


def _check_widths(path: Path, separator: str) -> None:
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        rows = csv.reader(file, delimiter=separator)
        width = len(next(rows, []))
        for cells in rows:
            if len(cells) > width:
                raise DataError(
                    f"{path}, line {rows.line_num}: {len(cells)} cells; the header has {width}"
                )
