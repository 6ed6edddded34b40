"""UCI HAR and HAPT as they are downloaded: folders of text, or a zip of them."""

from __future__ import annotations

import io
import re
import zipfile
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larnn_export.data.errors import DataError

SIGNALS = [
    f"{sensor}_{axis}" for sensor in ("body_acc", "body_gyro", "total_acc") for axis in "xyz"
]
Arrays = dict[str, NDArray[Any]]


def uci_har(root: Path, part: str) -> Arrays | None:
    """Signals float32 [windows, 128, 9], labels from 0 and subjects of a part, if it is there."""
    folder = _find(root, ("train", "test", "activity_labels.txt"))
    if folder is None:
        return None
    of_part = folder / part
    inertial = of_part / "Inertial Signals"
    columns = [_numbers(inertial / f"{name}_{part}.txt") for name in SIGNALS]
    return {
        "signals": np.stack(columns, axis=2).astype(np.float32),
        "labels": _numbers(of_part / f"y_{part}.txt").astype(np.int64).ravel() - 1,
        "subject": _numbers(of_part / f"subject_{part}.txt").astype(np.int64).ravel(),
    }


def hapt(root: Path) -> Arrays | None:
    """Each recording expNN_userUU float32 [samples, 6], and labels [segments, 5], if there."""
    folder = _find(root, ("RawData",))
    if folder is None:
        return None
    raw = folder / "RawData"
    found: Arrays = {"labels": _numbers(raw / "labels.txt").astype(np.int32)}
    for file in raw.iterdir():
        if match := re.fullmatch(r"acc_(exp\d+_user\d+)\.txt", file.name):
            gyro = _numbers(raw / f"gyro_{match[1]}.txt")
            found[match[1]] = np.hstack([_numbers(file), gyro]).astype(np.float32)
    return found


def _find(root: Path, names: tuple[str, ...]) -> Traversable | None:
    """The folder with these entries: the root, one in it, one in a zip, or one in a zip in that."""
    broken: DataError | None = None
    for place in [root, *(sorted(root.iterdir()) if root.is_dir() else ())]:
        try:
            if (found := _opened(place, names)) is not None:
                return found
        except DataError as error:  # perhaps another one is whole
            broken = error
    if broken is not None:
        raise broken
    return None


def _opened(place: Traversable, names: tuple[str, ...]) -> Traversable | None:
    if place.is_dir():
        children = list(place.iterdir())
        if set(names) <= {child.name for child in children}:
            return place
        inside = [child for child in children if child.is_dir() or child.name.endswith(".zip")]
        found = (_opened(child, names) for child in inside if not isinstance(place, Path))
        return next((each for each in found if each is not None), None)
    if place.name.endswith(".zip"):
        try:
            file = place if isinstance(place, Path) else io.BytesIO(place.read_bytes())
            return _opened(zipfile.Path(zipfile.ZipFile(file)), names)
        except (OSError, zipfile.BadZipFile) as error:
            raise DataError(f"{place} cannot be read: {error}") from error
    return None


def _numbers(file: Traversable) -> NDArray[np.float64]:
    """[rows, columns] of a text with spaces between numbers."""
    try:
        with file.open("r", encoding="ascii") as lines:
            return np.loadtxt(lines, ndmin=2)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{file} cannot be read: {error}") from error
