"""Data sets and apps whose files are read as they come: made up here in the form that they have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from larnn_export.data import DataError, load
from larnn_export.data.description import read_description
from larnn_export.data.known import FORMATS, known_description

Random = np.random.Generator


def _write(file: Path, lines: list[str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n")


def _cells(random: Random, count: int) -> str:
    return ",".join(f"{value:.6f}" for value in random.normal(size=count))


def motionsense(folder: Path, random: Random) -> None:
    names = ["attitude.roll", "attitude.pitch", "attitude.yaw"]
    for group in ("gravity", "rotationRate", "userAcceleration"):
        names += [f"{group}.{axis}" for axis in "xyz"]
    for label in ("dws", "ups", "wlk", "jog", "sit", "std"):
        for trial in (1, 11):
            rows = [f"{row},{_cells(random, 12)}" for row in range(192)]
            file = folder / "A_DeviceMotion_data" / f"{label}_{trial}" / "sub_3.csv"
            _write(file, [",".join(["", *names]), *rows])


def wisdm(folder: Path, random: Random) -> None:
    rows = [
        f"{person},{label},{1000 * row},{_cells(random, 3)};"
        for person in (5, *range(29, 37))
        for label in ("Walking", "Jogging", "Upstairs", "Downstairs", "Sitting", "Standing")
        for row in range(90)
    ]
    rows[7] = "5,Walking,7,0.1,0.2,;"
    rows[8] += "\n"
    _write(folder / "WISDM_ar_v1.1_raw.txt", rows)


def pamap2(folder: Path, random: Random) -> None:
    activities = (1, 2, 3, 4, 5, 6, 7, 12, 13, 16, 17, 24)
    for person in (101, 105, 106):
        rows = []
        for number, activity in enumerate(a for each in activities for a in (0, each)):
            for row in range(100 if activity == 0 else 300):
                values = [f"{value:.5f}" for value in random.normal(size=51)]
                if row % 50 == 20:
                    values[1:18] = ["NaN"] * 17
                heart = "104" if row % 11 == 0 else "NaN"
                rows.append(f"{number * 4 + row / 100:.2f} {activity} {heart} {' '.join(values)}")
        _write(folder / "Protocol" / f"subject{person}.dat", rows)


def sensor_logger(folder: Path, random: Random) -> None:
    for label in ("walking_one", "sitting"):
        for name, rate in (("TotalAcceleration", 100), ("Gyroscope", 50)):
            rows = [
                f"{1_700_000_000_000_000_000 + 10**9 * row // rate},{row / rate:.4f},"
                f"{_cells(random, 3)}"
                for row in range(14 * rate)
            ]
            _write(folder / label / f"{name}.csv", ["time,seconds_elapsed,z,y,x", *rows])


def phyphox(folder: Path, random: Random) -> None:
    for label in ("walking", "standing_2"):
        for name, word, unit in (
            ("Accelerometer", "Acceleration", "m/s^2"),
            ("Gyroscope", "Gyroscope", "rad/s"),
        ):
            head = ['"Time (s)"', *(f'"{word} {axis} ({unit})"' for axis in "xyz")]
            rows = [f"{row / 200:.9E},{_cells(random, 3)}" for row in range(2800)]
            _write(folder / label / f"{name}.csv", [",".join(head), rows[0], *rows])


MADE: dict[str, Callable[[Path, Random], None]] = {
    each.__name__: each for each in (motionsense, wisdm, pamap2, sensor_logger, phyphox)
}


@pytest.mark.parametrize("name", [file.stem for file in FORMATS])
def test_each_is_found_and_read(name: str, tmp_path: Path) -> None:
    MADE[name](tmp_path, np.random.default_rng(0))
    file = known_description(tmp_path)
    assert file is not None and file.stem == name
    description = read_description(file)
    train, test = load("train", tmp_path), load("test", tmp_path)
    for split in (train, test):
        assert split.signals.shape[1:] == (description.window.steps, len(description.channels))
        assert np.isfinite(split.signals).all()
    assert set(train.labels) == set(range(len(train.info.labels)))
    assert len(train.info.labels) == (len(description.labels) or 2)


def test_a_folder_of_other_tables_is_none_of_them(tmp_path: Path) -> None:
    _write(tmp_path / "walk" / "Accelerometer.csv", ["time,x,y,z", "0,1,2,3"])
    assert known_description(tmp_path) is None
    with pytest.raises(DataError, match="UCI Machine Learning Repository"):
        load("train", tmp_path)


def test_ones_own_description_comes_first(tmp_path: Path) -> None:
    phyphox(tmp_path, np.random.default_rng(0))
    [known] = [file for file in FORMATS if file.stem == "phyphox"]
    (tmp_path / "dataset.toml").write_text(known.read_text().replace("= 50", "= 25", 1))
    assert load("train", tmp_path).info.sample_rate_hz == 25
