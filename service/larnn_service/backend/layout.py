"""Where a folder has its versions: below their models' names, by number alone, or as the one that
it is itself, as KServe mounts a model."""

from __future__ import annotations

from pathlib import Path

from larnn_service.contract import MANIFEST_FILE

Key = tuple[str, int]
"""A model's name, and a version of it."""
Places = dict[str, dict[int, Path]]
"""The folder of each version, by the model's name."""


def by_name(root: Path) -> Places:
    """`root/<name>/<version>/`; hidden folders are nobody's. Versions may be whole or not."""
    if not root.is_dir():
        return {}
    folders = (path for path in root.iterdir() if not path.name.startswith("."))
    found = {path.name: numbered(path) for path in folders}
    return {name: versions for name, versions in sorted(found.items()) if versions}


def without_name(root: Path) -> list[Path]:
    """The root itself where it is a version, else `root/<version>/`; empty where names stand."""
    if (root / MANIFEST_FILE).is_file():
        return [root]
    found = numbered(root)
    return [found[number] for number in found if (found[number] / MANIFEST_FILE).is_file()]


def numbered(folder: Path) -> dict[int, Path]:
    """Folders whose names are versions, ascending."""
    if not folder.is_dir():
        return {}
    found = {int(path.name): path for path in folder.iterdir() if _is_version(path)}
    return dict(sorted(found.items()))


def _is_version(path: Path) -> bool:
    return path.name.isascii() and path.name.isdecimal() and path.name[0] != "0" and path.is_dir()
