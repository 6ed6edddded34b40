"""Files of signals: .npy and .npz arrays, .csv and .parquet tables, folders with a dataset.toml."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larnn_export.data import DataError
from larnn_export.data.description import description_file, read_description

Floats = NDArray[np.float32]
_LISTED = 16
"""Names that an error repeats."""
SUFFIXES = ".npz, .npy, .csv, .parquet"


@dataclass(frozen=True, eq=False)
class Recording:
    """Steps [steps, channels] and where they come from."""

    file: Path
    first_row: int
    steps: Floats
    expected: str | None = None
    """The label that the data itself gives."""


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

    def read(self, path: Path) -> list[Recording]:
        """Every sequence in a file or a folder, in order. Raises DataError."""
        if path.is_dir():
            return self._folder(path)
        match path.suffix.lower():
            case ".npy" | ".npz":
                recordings = list(self._arrays(path))
            case ".csv" | ".parquet":
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
        file = description_file(path)
        if file is None:
            raise DataError(
                f"{path} has no dataset.toml: write one (docs/own-data.md), or name the files"
            )
        from larnn_export.data.described import read_windows

        found = read_windows(file)
        names = [channel.name for channel in found.description.channels]
        if names != list(self.channels):
            raise DataError(
                f"{file} has the channels {', '.join(names)}; "
                f"the model takes {_listed(self.channels)}"
            )
        return [
            Recording(origin.file, origin.first_row, steps, origin.label)
            for origin, steps in zip(found.origins, found.signals, strict=True)
        ]

    def _arrays(self, path: Path) -> Iterator[Recording]:
        array = _load(path, self.array)
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
            yield Recording(path, index * array.shape[-2], steps.astype(np.float32))

    def _table(self, path: Path) -> Iterator[Recording]:
        from larnn_export.data.tables import (
            Table,  # polars is large: only who has tables waits for it
        )

        table = Table(path)
        values = table.numbers(self._columns(path))
        for first, end in table.changes(self.by):
            yield Recording(path, first, values[first:end])

    def _columns(self, path: Path) -> Sequence[str]:
        """As the description beside the table says; by the channels' names where there is none."""
        file = description_file(path.parent)
        if file is not None:
            description = read_description(file)
            if [channel.name for channel in description.channels] == list(self.channels):
                return description.columns
        return self.channels

    def _cut(self, recordings: list[Recording], window: int) -> Iterator[Recording]:
        hop = self.hop or max(window // 2, 1)
        for recording in recordings:
            for row in range(0, len(recording.steps) - window + 1, hop):
                steps = recording.steps[row : row + window]
                yield Recording(recording.file, recording.first_row + row, steps)


def _listed(channels: Sequence[str]) -> str:
    """Their names; of many the first and the last."""
    if len(channels) <= _LISTED:
        return ", ".join(channels)
    return f"{channels[0]} … {channels[-1]}"


def _load(path: Path, name: str | None) -> NDArray[Any]:
    try:
        loaded = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        wanted = name or ("signals" if len(loaded.files) != 1 else loaded.files[0])
        if wanted not in loaded.files:
            raise DataError(
                f"{path} has no array {wanted!r}: name one of {', '.join(loaded.files)} by --array"
            )
        try:
            array: NDArray[Any] = loaded[wanted]
        except ValueError as error:
            raise DataError(f"{path}: array {wanted!r} cannot be read: {error}") from error
    return array
