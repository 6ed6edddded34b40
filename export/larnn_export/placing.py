"""A version of a model comes into models/ whole or not at all."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from larnn_export.triton_config import write_above, write_in_version
from larnn_service.contract import ModelName, Version

CARD_FILE = "README.md"
CHECKPOINT_FOLDER = "checkpoint"
"""Of a version: the run that it was published from."""


class PublishError(ValueError):
    """What stands in the way of publishing, and what to do."""


def require_free(root: Path, name: str, version: int, replace: bool = False) -> Path:
    """root/<name>/<version>. Raises PublishError where name or version cannot be one, or where that
    exists and is not to be replaced."""
    _check(name, version)
    target = root / name / str(version)
    if target.exists() and not replace:
        raise PublishError(f"{target} exists: take another version, or --replace it")
    return target


@contextlib.contextmanager
def version_folder(root: Path, name: str, version: int, replace: bool = False) -> Iterator[Path]:
    """A folder to fill. When the block ends well it becomes root/<name>/<version>, with the
    config.pbtxt that its manifest asks for.

    Raises PublishError, before the block begins, where name or version cannot be one, or where
    that exists and is not to be replaced. A block that raises leaves nothing behind.
    """
    target = require_free(root, name, version, replace)
    made = [path for path in (root, *root.parents) if not path.exists()]
    root.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=root, prefix=".publishing-") as folder:
            whole = Path(folder) / "whole"
            whole.mkdir()
            yield whole
            write_in_version(whole)
            target.parent.mkdir(exist_ok=True)
            if target.exists():
                target.rename(Path(folder) / "replaced")
            whole.rename(target)
    except BaseException:
        with contextlib.suppress(OSError):  # somebody else may use one of them by now
            for path in made:
                path.rmdir()
        raise
    write_above(target)


def _check(name: str, version: int) -> None:
    """Raise PublishError unless they can be a model's."""
    for given, kind, rule in (
        (name, ModelName, "a model's name has small letters, digits and hyphens, 64 at the most"),
        (version, Version, "a version is a whole number from 1"),
    ):
        try:
            TypeAdapter(kind).validate_python(given, strict=True)
        except ValidationError as error:
            raise PublishError(f"{given!r} will not do: {rule}") from error
