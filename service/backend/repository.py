"""The repository of exported models: find, verify and load a version, or refuse and say why."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import ValidationError

from service.backend.base import Model, Tokenizer
from service.backend.onnx_backend import OnnxBackend, Provider
from service.backend.tokenizer import SentencePieceTokenizer
from service.contract import MANIFEST_FILE, Contract, ContractError, Manifest
from service.errors import StartupError


def load_repository(
    root: Path, default: str, provider: Provider, runs: int = 1
) -> dict[str, Model]:
    """The newest version of every model under `root`, by name, each ready for concurrent runs.

    Raises StartupError where the folder or the default model is missing, or a version is not
    whole: its manifest invalid, its checksum wrong, its graph in disagreement.
    """
    if not root.is_dir():
        raise StartupError(f"LARNN_MODELS={root} is no folder: point it at the exported models")
    models = {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        if (version := newest_version(folder)) is not None:
            models[folder.name] = load_model(version, provider, runs)
    if default not in models:
        found = ", ".join(models) or "none"
        raise StartupError(f"LARNN_MODEL={default} is not under {root}; models found: {found}")
    return models


def newest_version(folder: Path) -> Path | None:
    """models/<name>/<highest number>, or None where the folder holds no version."""
    versions = [path for path in folder.iterdir() if path.is_dir() and path.name.isdecimal()]
    return max(versions, key=lambda path: int(path.name), default=None)


def load_model(folder: Path, provider: Provider, runs: int = 1) -> Model:
    """Load models/<name>/<version>/; raises StartupError with the file and the field."""
    manifest_path = folder / MANIFEST_FILE
    try:
        manifest = Manifest.model_validate_json(manifest_path.read_bytes())
    except OSError as error:
        raise StartupError(f"{manifest_path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise StartupError(f"{manifest_path}: {_first_problem(error)}") from error
    if (manifest.name, str(manifest.version)) != (folder.parent.name, folder.name):
        raise StartupError(
            f"{manifest_path}: it describes {manifest.name}/{manifest.version}, "
            f"its folder is {folder.parent.name}/{folder.name}"
        )
    graph = folder / manifest.graph.file
    try:
        digest = hashlib.sha256(graph.read_bytes()).hexdigest()
    except OSError as error:
        raise StartupError(f"{graph}: cannot be read ({error.strerror})") from error
    if digest != manifest.graph.sha256:
        raise StartupError(
            f"{graph}: its SHA-256 is {digest}, {MANIFEST_FILE} says {manifest.graph.sha256}; "
            "the file is damaged or half copied: publish or copy it again"
        )
    try:
        backend = OnnxBackend(graph, manifest.contract, provider, runs)
        return Model(manifest, backend, _tokenizer(folder, manifest.contract))
    except ContractError as error:
        raise StartupError(f"{graph}: {error}") from error


def _tokenizer(folder: Path, contract: Contract) -> Tokenizer | None:
    if contract.vocabulary is None:
        return None
    return SentencePieceTokenizer(folder / contract.vocabulary.file, contract.vocabulary)


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in problem["loc"]) or "manifest"
    return f"{field}: {problem['msg']}"
