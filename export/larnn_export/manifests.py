"""A published version's manifest: read, saved, and written anew."""

from __future__ import annotations

import hashlib
from pathlib import Path

from larnn_service.contract import MANIFEST_FILE, GraphFile, Manifest

GRAPH_FILE = "model.onnx"


def graph_entry(data: bytes, file: str = GRAPH_FILE) -> GraphFile:
    """What a manifest says of a graph's bytes, which lie in that file beside it."""
    return GraphFile(file=file, sha256=hashlib.sha256(data).hexdigest())


def read_manifest(version: Path) -> Manifest:
    """That of a version's folder, in whatever format. Raises OSError, ValueError."""
    return Manifest.model_validate_json((version / MANIFEST_FILE).read_bytes())


def write_manifest(version: Path) -> Path:
    """Write it in the newest format, and give its path: it says the same of the same graph, whose
    own metadata stay in the format of their time. Raises OSError, ValueError."""
    newest: int = Manifest.model_fields["format"].default
    manifest = read_manifest(version).model_copy(update={"format": newest})
    return save_manifest(version, manifest)


def save_manifest(version: Path, manifest: Manifest) -> Path:
    """Write it into the version's folder, and give its path. Raises OSError."""
    file = version / MANIFEST_FILE
    file.write_text(manifest.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return file
