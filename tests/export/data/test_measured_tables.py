"""Tables in other units and axes than their channels shall have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from larnn_cli.measured import measured
from larnn_cli.recordings import Reader
from larnn_client import Input, Measured, Model
from larnn_export.data import DataError
from larnn_export.data.described import read_windows
from larnn_export.data.description import read_description

DESCRIPTION = """
sample_rate_hz = 50
label = "gesture"
test_fraction = 0.5
{said}
window = {{ steps = 2, hop = 2 }}
channels = [
    {{ name = "acc_x", unit = "g" }}, {{ name = "acc_y", unit = "g" }},
    {{ name = "acc_z", unit = "{unit}" }},
]
"""
TABLE = "acc_x,acc_y,acc_z,gesture\n" + "".join(
    f"{row},{2 * row},{3 * row},{gesture}\n" for gesture in ("a", "b") for row in range(4)
)


def folder(root: Path, said: str, unit: str = "g") -> Path:
    (root / "dataset.toml").write_text(DESCRIPTION.format(said=said, unit=unit))
    (root / "one.csv").write_text(TABLE)
    return root


def test_numbers_are_those_of_the_channels(tmp_path: Path) -> None:
    plain = read_windows(folder(tmp_path, "") / "dataset.toml").signals
    said = 'units = "acc=mg"\naxes = "-yxz"'
    made = read_windows(folder(tmp_path, said) / "dataset.toml").signals
    expected = plain[..., [1, 0, 2]] * np.array([-1e-3, 1e-3, 1e-3])
    np.testing.assert_array_equal(made, expected.astype(np.float32))
    [recording] = Reader(("acc_x", "acc_y", "acc_z")).read(tmp_path / "one.csv")
    np.testing.assert_allclose(recording.steps[1], [-2e-3, 1e-3, 3e-3], rtol=1e-6)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ('units = "V"', "V is a unit of voltage, and no channel of the description is"),
        ('axes = "xxz"', "no signed permutation"),
        ('axes = "gyro=xyz"', "'gyro' is no channel"),
    ],
)
def test_what_cannot_be_is_said_with_the_file(tmp_path: Path, said: str, says: str) -> None:
    with pytest.raises(DataError, match=f"dataset.toml: .*{says}"):
        read_description(folder(tmp_path, said) / "dataset.toml")


def served(rate: float | None = 50) -> Model:
    channels = {f"acc_{axis}": "g" for axis in "xyz"}
    return Model("it", 1, "", "cpu", rate, Input(channels), (), ())


def test_a_description_says_what_the_model_is_asked_with(tmp_path: Path) -> None:
    model, nothing = served(), ("", "", None)
    reader = Reader(tuple(model.channels))
    for path in (folder(tmp_path, "", "m/s^2"), tmp_path / "one.csv"):
        assert measured(nothing, [path], reader, model) == Measured("acc_z=m/s^2", "", 50)
        assert measured(nothing, [path], reader, served(None)) == Measured("acc_z=m/s^2")
        told = measured(("mg", "-x-y-z", 49.9), [path], reader, model)
        assert told == Measured("mg", "-x-y-z", 49.9)
    assert measured(nothing, [tmp_path / "steps.npy"], reader, model) == Measured()
    other = tmp_path / "other"
    other.mkdir()
    both = [tmp_path, folder(other, "")]
    assert measured(("mg", "", None), both, reader, model) == Measured("mg", "", 50), "all are so"
    for files in (both, [tmp_path, tmp_path / "steps.npy"]):
        with pytest.raises(DataError, match="the files' units differ"):
            measured(nothing, files, reader, model)
