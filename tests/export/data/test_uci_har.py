"""The loader: what it finds, and what it says when it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from larnn_export.data import DataError, uci_har


def write(root: Path, **changed: object) -> None:
    arrays = {
        "signals": np.zeros((4, 128, 9), np.float32),
        "labels": np.array([0, 1, 5, 3], np.int8),
        "subject": np.array([1, 1, 2, 3], np.int8),
    } | changed
    (root / uci_har.FOLDER).mkdir(exist_ok=True)
    kept = {name: np.asarray(value) for name, value in arrays.items() if value is not None}
    np.savez(root / uci_har.FOLDER / "uci_har_train.npz", **kept)  # type: ignore[arg-type]


def test_channels_and_labels_are_in_the_data_sets_order() -> None:
    assert [channel.name for channel in uci_har.CHANNELS][2:5] == [
        "body_acc_z",
        "body_gyro_x",
        "body_gyro_y",
    ]
    assert [channel.unit for channel in uci_har.CHANNELS] == ["g"] * 3 + ["rad/s"] * 3 + ["g"] * 3
    assert uci_har.LABELS[3] == "SITTING"


def test_people_are_kept_apart(tmp_path: Path) -> None:
    write(tmp_path)
    split = uci_har.load_split("train", tmp_path)
    assert split.of_subjects((1, 3)).labels.tolist() == [0, 1, 3]
    assert split.without_subjects((1, 3)).subjects.tolist() == [2]


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    monkeypatch.setenv(uci_har.ENVIRONMENT, str(tmp_path))
    assert len(uci_har.load_split("train")) == 4


def test_missing_data_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="UCI Machine Learning Repository"):
        uci_har.load_split("train", tmp_path)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"labels": None}, "lacks the arrays"),
        ({"labels": np.array([0, 1, 6, 3])}, "labels must be from 0 to 5"),
        ({"signals": np.zeros((4, 127, 9), np.float32)}, r"\(4, 127, 9\)"),
        ({"subject": np.array([1])}, r"subject \(1,\)"),
        ({"signals": np.full((4, 128, 9), np.nan, np.float32)}, "not finite"),
    ],
)
def test_bad_data_is_refused(tmp_path: Path, changed: dict[str, object], message: str) -> None:
    write(tmp_path, **changed)
    with pytest.raises(DataError, match=message):
        uci_har.load_split("train", tmp_path)
