"""Loaders: each gives windows of people as a `Split`."""

from __future__ import annotations

from pathlib import Path

from larnn_export.data.description import description_file
from larnn_export.data.errors import DataError
from larnn_export.data.split import DataInfo, Split

__all__ = ["DataError", "DataInfo", "Split", "load"]


def load(part: str, path: Path | None = None) -> Split:
    """The "train" or the "test" windows of somebody's tables, or of UCI HAR.

    Tables are read by the `dataset.toml` in their folder, or by one of the formats that are known.
    Without either, or a path, UCI HAR is looked for. Raises DataError.
    """
    if path is not None:
        # polars reads tables: who has none does not wait for it
        from larnn_export.data.described import read_windows
        from larnn_export.data.known import known_description

        if file := description_file(path):
            return read_windows(file).split(part)
        if path.is_dir() and (file := known_description(path)):
            return read_windows(file, path).split(part)
    from larnn_export.data.uci_har import load_split

    return load_split(part, path)
