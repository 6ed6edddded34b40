"""UCI HAR and HAPT as they are downloaded: the folder, its zip, and the zip in a zip."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from larnn_export.data import DataError, load
from larnn_export.data.downloads import SIGNALS
from larnn_export.data.hapt import NO_ACTIVITY, TRANSITION, load_recordings
from larnn_export.data.uci_har import ENVIRONMENT


def _uci_har(folder: Path) -> dict[str, np.ndarray]:
    """Twelve windows for each part; the training part's signals."""
    own = folder / "UCI HAR Dataset"
    own.mkdir(parents=True)
    (own / "activity_labels.txt").write_text("1 WALKING\n")
    random, kept = np.random.default_rng(0), {}
    for part in ("test", "train"):
        (own / part / "Inertial Signals").mkdir(parents=True)
        kept[part] = random.normal(size=(12, 128, 9)).astype(np.float32)
        for index, name in enumerate(SIGNALS):
            file = own / part / "Inertial Signals" / f"{name}_{part}.txt"
            np.savetxt(file, kept[part][:, :, index], fmt=" %.9e")
        np.savetxt(own / part / f"y_{part}.txt", np.arange(12) % 6 + 1, fmt="%d")
        np.savetxt(own / part / f"subject_{part}.txt", np.arange(12) + 1, fmt="%d")
    return kept


def _hapt(folder: Path) -> np.ndarray:
    raw = folder / "HAPT Data Set" / "RawData"
    raw.mkdir(parents=True)
    values: np.ndarray = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    np.savetxt(raw / "acc_exp07_user04.txt", values[:, :3], fmt="%.9e")
    np.savetxt(raw / "gyro_exp07_user04.txt", values[:, 3:], fmt="%.9e")
    np.savetxt(raw / "labels.txt", [[7, 4, 5, 11, 20], [7, 4, 7, 21, 30]], fmt="%d")
    return values


def _zipped(folder: Path) -> Path:
    [inner] = folder.iterdir()
    return Path(shutil.make_archive(str(folder.parent / "set"), "zip", folder, inner.name))


def _zip_in_zip(folder: Path) -> Path:
    inner, outer = _zipped(folder), folder.parent / "downloaded" / "outer.zip"
    outer.parent.mkdir()
    with zipfile.ZipFile(outer, "w") as archive:
        archive.write(inner, "The Data Set.zip")
    return outer


FORMS: dict[str, Callable[[Path], Path]] = {
    "the folder": lambda folder: next(folder.iterdir()),
    "above the folder": lambda folder: folder,
    "zip": _zipped,
    "zip in a zip": _zip_in_zip,
    "above a zip in a zip": lambda folder: _zip_in_zip(folder).parent,
}


@pytest.mark.parametrize("form", FORMS)
def test_uci_har_is_read_as_it_is_downloaded(form: str, tmp_path: Path) -> None:
    kept = _uci_har(tmp_path / "here")
    path = FORMS[form](tmp_path / "here")
    for part in ("train", "test"):
        split = load(part, path)
        np.testing.assert_array_equal(split.signals, kept[part])
        assert split.labels.tolist() == [*range(6)] * 2
        assert split.subjects.tolist() == [*range(1, 13)]


@pytest.mark.parametrize("form", FORMS)
def test_so_is_hapt(form: str, tmp_path: Path) -> None:
    values = _hapt(tmp_path / "here")
    [recording] = load_recordings(FORMS[form](tmp_path / "here"))
    assert (recording.experiment, recording.subject) == (7, 4)
    np.testing.assert_array_equal(recording.signals, values)
    expected = [NO_ACTIVITY] * 10 + [4] * 10 + [TRANSITION] * 10 + [NO_ACTIVITY] * 10
    assert recording.labels.tolist() == expected


@pytest.mark.parametrize("name", ["nothing.zip", "broken.zip", "empty"])
def test_what_is_not_there_or_broken_is_told(name: str, tmp_path: Path) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK")
    (tmp_path / "empty").mkdir()
    told = r"cannot be read" if name.endswith("zip") else rf"has no UCI HAR.*{ENVIRONMENT}"
    with pytest.raises(DataError, match=told):
        load("train", tmp_path / name)


def test_another_broken_zip_hides_nothing(tmp_path: Path) -> None:
    _uci_har(tmp_path)
    (tmp_path / "A broken one.zip").write_bytes(b"PK")
    assert len(load("train", tmp_path)) == 12


def test_a_damaged_text_is_named(tmp_path: Path) -> None:
    _uci_har(tmp_path)
    file = tmp_path / "UCI HAR Dataset" / "train" / "y_train.txt"
    file.write_text("1\ntwo\n")
    with pytest.raises(DataError, match=r"y_train.txt cannot be read: could not convert"):
        load("train", tmp_path)
    file.unlink()
    with pytest.raises(DataError, match=r"y_train.txt cannot be read"):
        load("train", tmp_path)
