"""Tables as people have them: texts of any usual form, dates and times."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from larnn_export.data import DataError
from larnn_export.data.tables import Table


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2.5\n",
        "a;b\n1;2.5\n",
        "a\tb\n1\t2.5\n",
        "a|b\n1|2.5\n",
        "a b\n1 2.5\n",
        "  a   b \n  1  2.5000e+000 \n",
        "a;b\n1,0;2,5\n",
        "a\tb\n1\t2,5\n",
        "\ufeffa, b\r\n1, 2.5\r\n",
        '"a","b"\n"1","2.5"\n',
        "a,b\n\n1,2.5\n\n\n",
        "\n\na,b\n1,2.5",
        "a,b;\n1,2.5;\n",
        "a,b;\r\n1,2.5;\r\n",
        "a b \r\n1 2.5 \r\n",
        "a,b,\n1,2.5,\n",
    ],
)
def test_texts_that_programs_write_are_read(text: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(text, newline="")
    assert Table(tmp_path / "table.csv").numbers(["a", "b"]).tolist() == [[1, 2.5]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marks_of_encodings_are_no_letters(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("größe,b\n1,2\n", encoding=encoding)
    assert Table(tmp_path / "table.csv").columns == ["größe", "b"]


def test_columns_without_a_header_have_numbers_and_lines_are_those_of_the_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "table.dat").write_text("1 2 3\n\n4 5 6\n7 x 9\n")
    table = Table(tmp_path / "table.dat", header=False)
    assert table.numbers(["3", "1"]).tolist() == [[3, 1], [6, 4], [9, 7]]
    with pytest.raises(DataError, match=r"line 4, column '2': 'x' is no finite number"):
        table.numbers(["2"])


def test_a_decimal_comma_is_told_from_a_separator_without_a_header(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("1,5;2,5\n3,5;4,5\n")
    found = Table(tmp_path / "table.csv", header=False).numbers(["1", "2"])
    assert found.tolist() == [[1.5, 2.5], [3.5, 4.5]]


def test_an_empty_line_in_a_single_column_is_a_missing_value(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a\n1\n\n3\n\n")
    found = Table(tmp_path / "table.csv").numbers(["a"], missing=True)
    np.testing.assert_array_equal(found, [[1], [np.nan], [3]])


def test_a_text_of_another_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes("gr\xf6\xdfe\n1\n".encode("latin-1"))
    with pytest.raises(DataError, match="byte 2 is no utf-8; save it as UTF-8"):
        Table(tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("cells", "unit"),
    [
        (["0", "20", "40"], "ms"),
        (["7", "7.02", "7.04"], "s"),
        (["2026-01-02T03:04:05.00", "2026-01-02T03:04:05.02", "2026-01-02T03:04:05.04"], "date"),
        (["2026-01-02 03:04:05.00Z", "2026-01-02 03:04:05.02Z", "2026-01-02 03:04:05.04Z"], "date"),
        (["1700000000000000000", "1700000000020000000", "1700000000040000000"], "ns"),
    ],
)
def test_times_are_seconds(cells: list[str], unit: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("\n".join(["t,a", *(f"{cell},1" for cell in cells)]))
    times = Table(tmp_path / "table.csv").times("t", unit)
    np.testing.assert_allclose(times - times[0], [0, 0.02, 0.04], atol=1e-6)


def test_dates_of_parquet_are_times(tmp_path: Path) -> None:
    first = datetime.datetime(2026, 1, 2)
    when = [first + datetime.timedelta(milliseconds=20 * row) for row in range(3)]
    pl.DataFrame({"t": when}).write_parquet(tmp_path / "table.parquet")
    times = Table(tmp_path / "table.parquet").times("t", "s")
    np.testing.assert_allclose(times - times[0], [0, 0.02, 0.04], atol=1e-6)


@pytest.mark.parametrize(
    ("rows", "line"),
    [(["2026-01-02T03:04:05", "yesterday"], 3), (["yesterday", "2026-01-02"], 2), (["7", "8"], 2)],
)
def test_what_is_no_date_is_told(rows: list[str], line: int, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("\n".join(["t", *rows]))
    with pytest.raises(DataError, match=rf"line {line}, column 't': '\w+' is no date"):
        Table(tmp_path / "table.csv").times("t", "date")


def test_numbers_and_times_of_day_of_parquet_are_no_dates(tmp_path: Path) -> None:
    clock = [datetime.time(1, 2)]
    pl.DataFrame({"number": [1.0], "clock": clock}).write_parquet(tmp_path / "table.parquet")
    for name in ("number", "clock"):
        with pytest.raises(DataError, match=f"column '{name}' holds .*, no dates"):
            Table(tmp_path / "table.parquet").times(name, "date")
