"""Files of signals: .npy and .npz arrays, .wav sound, .csv and .parquet tables, folders with a
dataset.toml."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from larnn_cli.frames import in_frames, wav_samples
from larnn_export.data import DataError
from larnn_export.data.description import (
    ChannelColumn,
    Description,
    Reading,
    description_file,
    read_description,
)

if TYPE_CHECKING:
    from larnn_client import Frame

Floats = NDArray[np.float32]
SUFFIXES = ".npz, .npy, .wav, .parquet, .csv, .tsv, .txt, .dat"
TABLES = (".parquet", ".csv", ".tsv", ".txt", ".dat")
UNREADABLE = OSError, ValueError, EOFError, MemoryError, BadZipFile, zlib.error
"""What numpy raises of files that are none of its own, cut, or damaged."""
_LISTED = 16
"""Names that an error repeats."""


@dataclass(frozen=True, eq=False)
class Recording:
    """Steps [steps, channels] and where they come from."""

    file: Path
    rows: Sequence[int] | NDArray[np.int64]
    """Of the file, where its steps stand."""
    steps: Floats
    expected: str | None = None
    """The label that the data itself gives."""

    @property
    def first_row(self) -> int:
        return int(self.rows[0])


@dataclass(frozen=True)
class Reader:
    """How the options say to read files, for a model with these channels."""

    channels: Sequence[str]
    array: str | None = None
    """The array of an .npz; `signals`, or the only one, unless given."""
    by: tuple[str, ...] = ()
    """Columns where a change starts another sequence."""
    window: int | None = None
    """Cut into windows of so many steps."""
    hop: int | None = None
    """From the start of a window to the next one's; half a window, unless given."""
    frame: Frame | None = None
    """Of a model that takes frames of samples."""

    def read(self, path: Path) -> list[Recording]:
        """Every sequence in a file or a folder, in order. Raises DataError."""
        if path.is_dir():
            return self._folder(path)
        match path.suffix.lower():
            case ".npy" | ".npz":
                recordings = list(self._arrays(path, _load(path, self.array)))
            case ".wav":
                recordings = list(self._arrays(path, wav_samples(path, self.frame)))
            case ".parquet" | ".csv" | ".tsv" | ".txt" | ".dat":
                recordings = list(self._table(path))
            case _:
                raise DataError(f"{path}: not one of {SUFFIXES}, and no folder")
        if self.window is None:
            return recordings
        windows = list(self._cut(recordings, self.window))
        if not windows:
            raise DataError(f"{path} has no sequence of {self.window} steps")
        return windows

    def _folder(self, path: Path) -> list[Recording]:
        from larnn_export.data.described import read_windows

        file = _described(path)
        if file is None:
            raise DataError(
                f"{path} has no dataset.toml: write one (docs/own-data.md), or name the files"
            )
        found = read_windows(file, path)
        names = [channel.name for channel in found.description.channels]
        if names != list(self.channels):
            raise DataError(
                f"{file} has the channels {', '.join(names)}; "
                f"the model takes {_listed(self.channels)}"
            )
        return [
            Recording(origin.file, [origin.first_row], steps, origin.label)
            for origin, steps in zip(found.origins, found.signals, strict=True)
        ]

    def _arrays(self, path: Path, array: NDArray[Any]) -> Iterator[Recording]:
        if self.frame is not None:
            array = in_frames(path, array, self.frame)
        if array.dtype.kind not in "fiu" or array.ndim not in (2, 3):
            raise DataError(
                f"{path}: {array.dtype} {list(array.shape)}; "
                "numbers [steps, channels] or [sequences, steps, channels] are asked for"
            )
        if array.shape[-1] != len(self.channels):
            raise DataError(
                f"{path} has {array.shape[-1]} channels; the model takes {len(self.channels)}: "
                f"{_listed(self.channels)}"
            )
        if not array.size or not np.isfinite(array).all():
            raise DataError(f"{path}: {'a number is not finite' if array.size else 'no steps'}")
        for index, steps in enumerate(array if array.ndim == 3 else array[None]):
            first, count = index * array.shape[-2], array.shape[-2]
            yield Recording(path, range(first, first + count), steps.astype(np.float32))

    def _table(self, path: Path) -> Iterator[Recording]:
        """As the description beside the table says; by the channels' names where there is none."""
        from larnn_export.data.described import (
            changes,  # polars is large: only who has tables waits for it
        )
        from larnn_export.data.recordings import stretches
        from larnn_export.data.tables import Table

        description = self.description(path)
        if description is None:
            table, reading, rate = Table(path), Reading(), 1.0
            channels = [ChannelColumn(name=name, unit="") for name in self.channels]
        else:
            table, reading = Table(path, description.header), description
            channels, rate = list(description.channels), description.sample_rate_hz
        keys = list(zip(*(table.texts(column) for column in self.by), strict=True))
        edges = changes(keys) if self.by else [0]
        for _, stretch in stretches(table, channels, reading, rate, edges):
            yield Recording(path, stretch.rows, stretch.values)

    def description(self, path: Path) -> Description | None:
        """What says what a folder's or a table's numbers are, if it is of these channels."""
        if path.is_dir():
            file = _described(path)
        else:
            file = description_file(path.parent) if path.suffix.lower() in TABLES else None
        description = None if file is None else read_description(file)
        if description and [one.name for one in description.channels] == list(self.channels):
            return description
        return None

    def _cut(self, recordings: list[Recording], window: int) -> Iterator[Recording]:
        hop = self.hop or max(window // 2, 1)
        for recording in recordings:
            for row in range(0, len(recording.steps) - window + 1, hop):
                of_window = slice(row, row + window)
                rows = recording.rows[of_window]
                yield Recording(recording.file, rows, recording.steps[of_window])


def _described(folder: Path) -> Path | None:
    """The description that lies there, or that of a known format."""
    from larnn_export.data.known import known_description

    return description_file(folder) or known_description(folder)


def _listed(channels: Sequence[str]) -> str:
    """Their names; of many the first and the last."""
    if len(channels) <= _LISTED:
        return ", ".join(channels)
    return f"{channels[0]} … {channels[-1]}"


def _load(path: Path, name: str | None) -> NDArray[Any]:
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            wanted = name or ("signals" if len(loaded.files) != 1 else loaded.files[0])
            if wanted in loaded.files:
                array: NDArray[Any] = loaded[wanted]
                return array
    except UNREADABLE as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    has = ", ".join(loaded.files)
    raise DataError(f"{path} has no array {wanted!r}: name one of {has} by --array")
