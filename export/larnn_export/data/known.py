"""Data sets and apps whose files are read as they come: each is a description in `formats/`."""

from __future__ import annotations

from pathlib import Path

from larnn_export.data.described import tables_of
from larnn_export.data.description import read_description
from larnn_export.data.errors import DataError
from larnn_export.data.tables import Table

FORMATS = tuple(sorted((Path(__file__).parent / "formats").glob("*.toml")))


def known_description(folder: Path) -> Path | None:
    """The first format whose files are in this folder, and whose columns its first table has."""
    return next((file for file in FORMATS if _fits(file, folder)), None)


def _fits(file: Path, folder: Path) -> bool:
    description = read_description(file)
    tables = tables_of(folder, description.files)
    if not tables:
        return False
    wanted = {one.column or one.name for one in description.channels if not one.source}
    others = {one.source for one in description.channels if one.source}
    if not all((tables[0].parent / name).is_file() for name in others):
        return False
    try:
        return wanted <= set(Table(tables[0], description.header).columns)
    except DataError:
        return False
