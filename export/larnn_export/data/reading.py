"""Text tables as programs write them: any usual encoding, separator and header, as text cells."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import polars as pl
from polars.exceptions import NoDataError, PolarsError

from larnn_export.data.errors import DataError

SEPARATORS = ";\t|,"
"""In this order, since numbers may have a comma where another one stands between the cells."""
ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
"""By the mark at a file's beginning; UTF-8 without one."""
LINE = "\n"
"""The column that says which row of the file a row is: no header can have this name."""


def read_text(path: Path, header: bool) -> tuple[pl.DataFrame, bool]:
    """The cells of a file as text, with the column LINE, and whether its numbers have a comma.

    Columns are named by the first line, or by their number from 1 without a `header`. Cells stand
    between commas, semicolons, tabs, bars, or spaces. Blank lines are left out. Raises DataError.
    """
    text = re.sub("; *$", "", _decoded(path), flags=re.MULTILINE)  # what ends lines ends no cell
    first = text.lstrip().partition("\n")[0]
    separator = next((each for each in SEPARATORS if each in first), " ")
    if separator == " ":
        text = re.sub(r"^ +| +$", "", re.sub(r"[ \t]+", " ", text), flags=re.MULTILINE)
    try:
        table = pl.read_csv(
            io.StringIO(text),
            separator=separator,
            has_header=header,
            infer_schema=False,
            row_index_name=LINE,
        )
    except NoDataError as error:
        raise DataError(f"{path} has no rows") from error
    except PolarsError as error:
        _check_widths(path, text, separator)
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    names = [name for name in table.columns if name != LINE]
    numbered = [str(number) for number in range(1, len(names) + 1)]
    wanted = [name.strip() for name in names] if header else numbered
    table = table.rename(dict(zip(names, wanted, strict=True)))
    return _without_blanks(table, wanted), separator != ","


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    mark = next((mark for mark in ENCODINGS if data.startswith(mark)), b"")
    try:
        return data.decode(ENCODINGS.get(mark, "utf-8")).replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} cannot be read: byte {error.start} is no {error.encoding}; save it as UTF-8"
        ) from error


def _without_blanks(table: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Without lines of which every cell is empty; in a single column, those at the end alone."""
    blank = table.select(
        pl.all_horizontal(pl.col(name).fill_null("").str.strip_chars() == "" for name in names)
    ).to_series()
    if len(names) > 1:
        return table.filter(~blank)
    filled = (~blank).arg_true()
    return table.head(int(filled[-1]) + 1 if len(filled) else 0)


def _check_widths(path: Path, text: str, separator: str) -> None:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    width = len(next(rows, []))
    for cells in rows:
        if len(cells) > width:
            raise DataError(
                f"{path}, line {rows.line_num}: {len(cells)} cells; the first line has {width}"
            )
