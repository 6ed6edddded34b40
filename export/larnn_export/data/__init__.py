"""Loaders: each gives windows of people as a `Split`."""

from __future__ import annotations

from pathlib import Path

from larnn_export.data.description import description_file
from larnn_export.data.errors import DataError
from larnn_export.data.split import DataInfo, Split

__all__ = ["DataError", "DataInfo", "Split", "load"]


def load(part: str, path: Path | None = None) -> Split:
    """The "train" or "test" people of a folder with a dataset.toml, of UCI HAR otherwise."""
    if path is not None and (file := description_file(path)):
        from larnn_export.data.described import (
            read_windows,  # polars reads somebody's own tables alone
        )

        return read_windows(file).split(part)
    from larnn_export.data.uci_har import load_split

    return load_split(part, path)
