"""A published version's manifest: read, and written anew."""

from __future__ import annotations

from pathlib import Path

from larnn_service.contract import MANIFEST_FILE, Manifest


def read_manifest(version: Path) -> Manifest:
    """That of a version's folder, in whatever format. Raises OSError, ValueError."""
    return Manifest.model_validate_json((version / MANIFEST_FILE).read_bytes())


def write_manifest(version: Path) -> Path:
    """Write it in the newest format, and give its path: it says the same of the same graph, whose
    own metadata stay in the format of their time. Raises OSError, ValueError."""
    newest: int = Manifest.model_fields["format"].default
    manifest = read_manifest(version).model_copy(update={"format": newest})
    (version / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=1) + "\n")
    return version / MANIFEST_FILE
