"""A version of a model comes into models/ whole or not at all."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from larnn_export.manifests import read_manifest
from larnn_export.triton_config import (
    CONFIG_FILE,
    triton_config,
    write_triton_config,
)

GRAPH_FILE, CARD_FILE = "model.onnx", "README.md"
CHECKPOINT_FOLDER = "checkpoint"
"""Of a version: the run that it was published from."""


class PublishError(ValueError):
    """What stands in the way of publishing, and what to do."""


def require_free(root: Path, name: str, version: int, replace: bool = False) -> Path:
    """root/<name>/<version>. Raises PublishError where that exists and is not to be replaced."""
    target = root / name / str(version)
    if target.exists() and not replace:
        raise PublishError(f"{target} exists: take another version, or --replace it")
    return target


@contextlib.contextmanager
def version_folder(root: Path, name: str, version: int, replace: bool = False) -> Iterator[Path]:
    """A folder to fill. When the block ends well it becomes root/<name>/<version>, with the
    config.pbtxt that its manifest asks for.

    Raises PublishError where that exists and is not to be replaced.
    """
    target = require_free(root, name, version, replace)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".publishing-") as folder:
        whole = Path(folder) / "whole"
        whole.mkdir()
        yield whole
        (whole / CONFIG_FILE).write_text(triton_config(read_manifest(whole)))
        if target.exists():
            target.rename(Path(folder) / "replaced")
        whole.rename(target)
    write_triton_config(target)
