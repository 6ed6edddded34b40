"""Somebody's own tables: what is cut out of them, and what is said where they are wrong."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from larnn_export.data import DataError, load
from larnn_export.data.described import read_windows
from larnn_export.data.tables import Table
from tests import own_data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return own_data.write(tmp_path / "gestures", takes=1)


def test_windows_come_with_their_labels_people_and_places(folder: Path) -> None:
    found = read_windows(folder / "dataset.toml")
    table = pl.read_csv(folder / "ann.csv")
    # 70 rows a take hold windows from rows 0, 10, … 50; the second take begins at row 70
    first, later = found.origins[1], found.origins[6]
    assert (first.file.name, first.first_row, first.label) == ("ann.csv", 10, "wave")
    assert (later.first_row, later.label, later.subject) == (70, "push", "ann")
    expected = table.select("turn", "acc").to_numpy()[10:30].astype(np.float32)
    np.testing.assert_array_equal(found.signals[1], expected)
    assert found.signals.shape == (4 * 2 * 6, 20, 2)


def test_people_are_held_out_and_keep_their_names(folder: Path) -> None:
    train, test = load("train", folder), load("test", folder)
    assert {train.info.subject_name(who) for who in train.subjects} == {"ann", "bob", "cid"}
    assert {test.info.subject_name(who) for who in test.subjects} == {"eve"}
    assert train.info == test.info
    assert train.info.labels == ("wave", "push")
    assert [channel.name for channel in train.info.channels] == ["turn", "shove"]
    assert train.info.sample_rate_hz == 25


def test_a_description_may_be_json_and_be_named(folder: Path) -> None:
    fields = tomllib.loads((folder / "dataset.toml").read_text())
    fields["window"]["hop"] = 20
    (folder / "dataset.json").write_text(json.dumps(fields))
    assert len(load("train", folder)) == 3 * 2 * 6
    assert len(load("train", folder / "dataset.json")) == 3 * 2 * 3


def test_labels_are_those_that_occur_unless_named(folder: Path) -> None:
    _edit(folder / "dataset.toml", 'labels = ["wave", "push"]\n', "")
    assert load("train", folder).info.labels == ("push", "wave")


def test_recordings_shorter_than_a_window_are_left_out(folder: Path) -> None:
    _edit(folder / "dataset.toml", "steps = 20", "steps = 70")
    assert len(load("test", folder)) == 2


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def _cell(column: str, value: str) -> Callable[[Path], None]:
    """Spoils line 4 of ann.csv."""

    def spoil(folder: Path) -> None:
        table = pl.read_csv(folder / "ann.csv", infer_schema=False)
        table[2, column] = value
        table.write_csv(folder / "ann.csv")

    return spoil


def _toml(old: str, new: str) -> Callable[[Path], None]:
    return lambda folder: _edit(folder / "dataset.toml", old, new)


def _without_tables(folder: Path) -> None:
    for path in [*folder.glob("*.csv"), *folder.glob("*.parquet")]:
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_cell("acc", "fast"), r"ann.csv, line 4, column 'acc': 'fast' is no finite number"),
        (_cell("acc", "inf"), r"line 4, column 'acc': 'inf' is no finite number"),
        (_cell("turn", ""), r"line 4, column 'turn': the cell is empty"),
        (_cell("who", " "), r"line 4, column 'who': ' ' is empty"),
        (_cell("gesture", "wav"), r"line 4, column 'gesture': 'wav' is none of wave, push"),
        (_toml('column = "acc"', 'column = "ac"'), r"no column 'ac'; its columns are time, acc"),
        (_toml("sample_rate_hz = 25", ""), r"dataset.toml: sample_rate_hz: Field required"),
        (_toml("steps = 20", "steps = 0"), r"window.steps: Input should be greater"),
        (_toml("steps = 20", "steps = 71"), r"no recording is as long as a window of 71 steps"),
        (_toml("title =", "titel ="), r"titel: Extra inputs are not permitted"),
        (_toml("title =", "title"), r"dataset.toml cannot be read"),
        (_toml('"eve"', '"eva"'), r"test_subjects eva have no window; the data has ann, bob"),
        (_toml('["eve"]', '["ann", "bob", "cid", "eve"]'), r"leaves nobody to train on"),
        (_toml('"push"]', '"push", "nod"]'), r"none shows nod"),
        (_toml('"shove"', '"turn"'), r"channels: names must be unique"),
        (_without_tables, r"has none of the files \*.csv, \*.tsv, \*.parquet"),
    ],
)
def test_what_is_wrong_is_named(spoil: Callable[[Path], None], message: str, folder: Path) -> None:
    spoil(folder)
    with pytest.raises(DataError, match=message):
        load("train", folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no rows"),
        (b"a,b\n", "has no rows"),
        (b"a,b\n1,2\n3,4,5\n", "line 3: 3 cells; the first line has 2"),
        (b"a,b\n1,\xff\n", "cannot be read"),
    ],
)
def test_a_broken_csv_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(DataError, match=f"table.csv.* {message}|table.csv, {message}"):
        Table(tmp_path / "table.csv")


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n", "a;b\n1;2\n", "a\tb\n1\t2\n", "\ufeffa, b\r\n1, 2\r\n"]
)
def test_the_separators_and_endings_that_programs_write_are_read(text: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(text, newline="")
    assert Table(tmp_path / "table.csv").numbers(["a", "b"]).tolist() == [[1, 2]]


def test_a_broken_parquet_file_and_a_column_of_no_numbers_are_named(tmp_path: Path) -> None:
    (tmp_path / "table.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"table.parquet cannot be read"):
        Table(tmp_path / "table.parquet")
    pl.DataFrame({"a": [1.0, None], "b": [True, False]}).write_parquet(tmp_path / "table.parquet")
    table = Table(tmp_path / "table.parquet")
    with pytest.raises(DataError, match=r"row 2, column 'a': the cell is empty"):
        table.numbers(["a"])
    with pytest.raises(DataError, match=r"column 'b' holds Boolean, no numbers"):
        table.numbers(["b"])
