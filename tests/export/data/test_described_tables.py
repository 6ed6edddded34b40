"""What is said of tables: rates and gaps, labels, people, sensors in files of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from larnn_export.data import DataError, load
from larnn_export.data.described import read_windows
from larnn_export.data.description import ChannelColumn, Description, Reading
from larnn_export.data.recordings import Stretch, stretches
from larnn_export.data.tables import Table

CHANNELS = (ChannelColumn(name="a", unit=""), ChannelColumn(name="b", unit=""))


def _stretches(folder: Path, text: str, **reading: Any) -> list[tuple[int, Stretch]]:
    (folder / "table.csv").write_text(text)
    return list(stretches(Table(folder / "table.csv"), CHANNELS, Reading(**reading), 1.0, [0]))


HOLES = "a,b\n,1\n1,2\n,3\n3,NaN\n4,NA\n5,\n6,7\n"


@pytest.mark.parametrize(
    ("missing", "gap", "expected"),
    [
        ("hold", 9, [[[1, 2], [1, 3], [3, 3], [4, 3], [5, 3], [6, 7]]]),
        ("hold", 2, [[[1, 2], [1, 3], [3, 3], [4, 3]], [[6, 7]]]),
        ("interpolate", 9, [[[1, 2], [2, 3], [3, 4], [4, 5], [5, 6], [6, 7]]]),
        ("interpolate", 2, [[[1, 2], [2, 3]], [[6, 7]]]),
    ],
)
def test_missing_values_are_held_or_interpolated_within_the_longest_gap(
    missing: str, gap: float, expected: list[list[list[float]]], tmp_path: Path
) -> None:
    found = _stretches(tmp_path, HOLES, missing=missing, longest_gap=gap)
    assert [stretch.values.tolist() for _, stretch in found] == expected
    assert found[-1][1].rows[-1] == 6


def test_a_channel_without_any_value_leaves_nothing(tmp_path: Path) -> None:
    assert _stretches(tmp_path, "a,b\n1,\n2,\n", missing="hold") == []


def test_rows_with_times_are_put_onto_the_rate(tmp_path: Path) -> None:
    text = "t,a,b\n0.5,0,1\n1.0,5,1\n1.0,9,9\n2.5,20,1\n30,0,0\n31.2,12,0\n"
    found = _stretches(tmp_path, text, time="t", longest_gap=2)
    np.testing.assert_allclose(found[0][1].values[:, 0], [0, 10, 20])
    np.testing.assert_allclose(found[1][1].values[:, 0], [5])  # 30.5 s, on the same grid
    assert found[0][1].rows.tolist() == [0, 3, 3]


def test_time_that_runs_backwards_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 3, column 't': time runs backwards"):
        _stretches(tmp_path, "t,a,b\n1,0,0\n0,0,0\n", time="t")


def _dataset(folder: Path, **fields: Any) -> Path:
    channels = [{"name": "a", "unit": "g"}, {"name": "b", "unit": "g"}]
    base: dict[str, Any] = {"sample_rate_hz": 1.0, "channels": channels, "window": {"steps": 2}}
    description = Description.model_validate({**base, **fields})
    (folder / "dataset.json").write_text(description.model_dump_json(exclude_unset=True))
    return folder / "dataset.json"


ROWS = "a,b,label,who,part\n" + "".join(
    f"{row},0,{'up' if row % 8 < 4 else 'down'},{'ann' if row < 8 else 'eve'},{row // 8}\n"
    for row in range(16)
)


@pytest.mark.parametrize(
    ("test", "measured"),
    [
        ({"test_subjects": ["eve"], "subject": "who"}, [8, 9, 10, 12, 13, 14]),
        ({"test_files": ["more/*.csv"]}, [0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14]),
        ({"test_rows": {"column": "part", "values": [1]}}, [8, 9, 10, 12, 13, 14] * 2),
        ({"test_fraction": 0.5, "subject": "who"}, [2, 6, 10, 14] * 2),
    ],
)
def test_who_is_only_measured_is_told_in_one_of_four_ways(
    test: dict[str, Any], measured: list[int], tmp_path: Path
) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "table.csv").write_text(ROWS)
    if "test_subjects" not in test:
        (tmp_path / "more" / "again.csv").write_text(ROWS)
    found = read_windows(_dataset(tmp_path, window={"steps": 2, "hop": 1}, **test))
    tested = [origin.first_row for origin in found.origins if origin.is_test]
    assert sorted(tested) == sorted(measured)
    assert len(found.split("test")) == len(measured)
    assert len(found.split("train")) == len(found.origins) - len(measured)


def test_without_a_subject_column_each_file_is_somebody(tmp_path: Path) -> None:
    for name in ("ann", "bob"):
        (tmp_path / f"{name}.csv").write_text(ROWS)
    (tmp_path / "cid").mkdir()
    (tmp_path / "cid" / "bob.csv").write_text(ROWS)
    found = read_windows(_dataset(tmp_path, test_files=["ann.csv"])).split("train")
    assert found.info.subjects == ("ann", "bob", "cid/bob")


@pytest.mark.parametrize("pattern", ["", "/tmp/*.csv"])
def test_files_are_below_the_description(pattern: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="files"):
        _dataset(tmp_path, files=[pattern], test_fraction=0.5)


def test_labels_may_be_numbers(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b,label\n" + "0,0,1\n" * 4 + "0,0,2\n" * 4 + "0,0,0\n")
    file = _dataset(tmp_path, labels=[1, 2], ignore_labels=[0], test_fraction=0.5)
    assert read_windows(file).split("train").info.labels == ("1", "2")


@pytest.mark.parametrize("told", [{}, {"test_fraction": 0.5, "test_subjects": ["eve"]}])
def test_the_test_is_told_exactly_once(told: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="by one of test_subjects, test_files, test_rows"):
        _dataset(tmp_path, **told)


def test_labels_are_renamed_and_left_out(tmp_path: Path) -> None:
    rows = ["0,0,1", "0,0,1", "0,0,", "0,0,2", "0,0,2", "0,0,9", "0,0,2", "0,0,2"]
    (tmp_path / "table.csv").write_text("\n".join(["a,b,label", *rows]))
    names = {"1": "up", "2": "down"}
    fields = {"test_fraction": 0.5, "window": {"steps": 1}, "labels": ["up", "down"]}
    file = _dataset(tmp_path, label_names=names, ignore_labels=["", "9"], **fields)
    found = read_windows(file)
    assert [(o.first_row, o.label) for o in found.origins] == [
        *((row, "up") for row in (0, 1)),
        *((row, "down") for row in (3, 4, 6, 7)),
    ]
    with pytest.raises(DataError, match="'9' is none of up, down; ignore_labels leaves rows out"):
        read_windows(_dataset(tmp_path, label_names=names, ignore_labels=[""], **fields))


def test_what_is_shorter_than_a_window_may_be_padded_in_front(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b,label\n1,2,up\n3,4,up\n5,6,down\n5,7,down\n")
    found = read_windows(_dataset(tmp_path, test_fraction=0.5, window={"steps": 3, "pad": True}))
    assert found.signals[0].tolist() == [[1, 2]] * 3
    assert [origin.is_test for origin in found.origins] == [False, True, False, True]


def test_a_path_tells_the_label_and_the_person(tmp_path: Path) -> None:
    for label in ("walk", "run"):
        for person in ("1", "2"):
            folder = tmp_path / f"{label}_7"
            folder.mkdir(exist_ok=True)
            (folder / f"sub_{person}.csv").write_text("a,b\n1,2\n3,4\n")
    pattern = r"(?P<label>\w+)_\d+/sub_(?P<subject>\d+)"
    found = read_windows(_dataset(tmp_path, path=pattern, test_subjects=[2]))
    assert {(o.label, o.subject, o.is_test) for o in found.origins} == {
        (label, who, who == "2") for label in ("walk", "run") for who in ("1", "2")
    }
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"notes.csv: the expression .* does not fit notes.csv"):
        load("train", tmp_path)


def _sensors(folder: Path) -> Path:
    """A folder a recording, a file a sensor, each at its own rate."""
    for label in ("walk", "run"):
        (folder / label).mkdir()
        fast = [f"{t / 10},{t}" for t in range(40)]
        slow = [f"{t / 4 + 0.6},{10 * t}" for t in range(12) if t not in (5, 6, 7)]
        (folder / label / "Accelerometer.csv").write_text("\n".join(["time,x", *fast]))
        (folder / label / "Gyroscope.csv").write_text("\n".join(["time,x", *slow]))
    turn = {"name": "turn", "unit": "rad/s", "column": "x", "source": "Gyroscope.csv"}
    return _dataset(
        folder,
        files=["Accelerometer.csv"],
        path="(?P<label>\\w+)/",
        time="time",
        sample_rate_hz=2,
        channels=[{"name": "acc", "unit": "g", "column": "x"}, turn],
        test_files=["run/*"],
        window={"steps": 1},
        longest_gap=0.6,
        labels=["walk", "run"],
    )


def test_sensors_of_other_rates_are_brought_together(tmp_path: Path) -> None:
    found = read_windows(_sensors(tmp_path))
    # Steps at 0, 0.5, …, 3.5 s; the other sensor tells of 0.6 to 1.6 and of 2.6 to 3.35 s.
    expected = [[10, 16], [15, 36], [30, 96]]
    np.testing.assert_allclose(found.signals[: len(expected), 0], expected, rtol=1e-6)
    assert len(found.signals) == 2 * len(expected)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda fields: fields | {"time": ""}, "turn of another file ask for a time column"),
        (lambda fields: fields | {"channels": fields["channels"][1:]}, "there is none"),
        (lambda fields: fields | {"path": "("}, "path is no regular expression"),
    ],
)
def test_a_description_that_contradicts_itself_is_told(
    change: Callable[[dict[str, Any]], dict[str, Any]], told: str, tmp_path: Path
) -> None:
    fields = Description.model_validate_json(_sensors(tmp_path).read_text()).model_dump()
    with pytest.raises(ValueError, match=told):
        Description.model_validate(change(fields))
