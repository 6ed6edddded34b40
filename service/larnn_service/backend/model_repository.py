"""The repository of exported models: find, verify and load a version, or refuse and say why."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import ValidationError

from larnn_service.backend.onnx_backend import OnnxAttention, OnnxBackend, Provider
from larnn_service.backend.tokenizer import SentencePieceTokenizer
from larnn_service.contract import MANIFEST_FILE, ContractError, GraphFile, Manifest, Vocabulary
from larnn_service.errors import StartupError
from larnn_service.interfaces import Attention, Model, Tokenizer


class Repository:
    """The folder models/<name>/<version>/, as it is now: nothing is kept of it."""

    def __init__(self, root: Path, provider: Provider = "auto", runs: int = 1) -> None:
        """Each model that is loaded is ready for `runs` concurrent runs."""
        self.root = root
        self._provider = provider
        self._runs = runs

    def names(self) -> list[str]:
        """Every model with a version, whole or not; hidden folders are nobody's."""
        if not self.root.is_dir():
            return []
        folders = (path for path in self.root.iterdir() if not path.name.startswith("."))
        return sorted(path.name for path in folders if _versions(path))

    def versions(self, name: str) -> list[int]:
        """The versions of a model, ascending, whole or not; none of an unknown name."""
        return _versions(self.root / name) if name in self.names() else []

    def newest(self, name: str) -> Path:
        """The folder of its highest version. Raises StartupError where it has none."""
        if not (found := self.versions(name)):
            raise StartupError(f"{self.root} has no version of {name}")
        return self.root / name / str(found[-1])

    def load(self, name: str, version: int) -> Model:
        """A verified version; raises StartupError with the file and the field."""
        return load_model(self.root / name / str(version), self._provider, self._runs)

    def manifest(self, name: str, version: int) -> Manifest:
        """What a version says of itself; raises StartupError with the file and the field."""
        return _manifest(self.root / name / str(version))


def _versions(folder: Path) -> list[int]:
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if _is_version(path))


def _is_version(path: Path) -> bool:
    return path.name.isascii() and path.name.isdecimal() and path.name[0] != "0" and path.is_dir()


def load_model(folder: Path, provider: Provider, runs: int = 1) -> Model:
    """Load models/<name>/<version>/; raises StartupError with the file and the field.

    Each graph is read once: what was verified is what runs, whatever happens to the file.
    """
    manifest = _manifest(folder)
    path, graph = _whole(folder, manifest.graph)
    try:
        backend = OnnxBackend(graph, manifest.contract, provider, runs)
    except ContractError as error:
        raise StartupError(f"{path}: {error}") from error
    return Model(manifest, backend, _attention(folder, manifest), _tokenizer(folder, manifest))


def _attention(folder: Path, manifest: Manifest) -> Attention | None:
    if manifest.attention is None:
        return None
    path, graph = _whole(folder, manifest.attention)
    try:
        return OnnxAttention(graph, manifest.contract)
    except ContractError as error:
        raise StartupError(f"{path}: {error}") from error


def _whole(folder: Path, file: GraphFile | Vocabulary) -> tuple[Path, bytes]:
    """Where the file is and what is in it. Raises StartupError where that is not as published."""
    path = folder / file.file
    try:
        graph = path.read_bytes()
    except OSError as error:
        raise StartupError(f"{path}: cannot be read ({error.strerror})") from error
    digest = hashlib.sha256(graph).hexdigest()
    if digest != file.sha256:
        raise StartupError(
            f"{path}: its SHA-256 is {digest}, {MANIFEST_FILE} says {file.sha256}; "
            "the file is damaged or half copied: publish or copy it again"
        )
    return path, graph


def _manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST_FILE
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StartupError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        raise StartupError(f"{path}: {_first_problem(error)}") from error
    if (manifest.name, str(manifest.version)) != (folder.parent.name, folder.name):
        raise StartupError(
            f"{path}: it describes {manifest.name}/{manifest.version}, "
            f"its folder is {folder.parent.name}/{folder.name}"
        )
    return manifest


def _tokenizer(folder: Path, manifest: Manifest) -> Tokenizer | None:
    vocabulary = manifest.contract.vocabulary
    if vocabulary is None:
        return None
    path, tokenizer = _whole(folder, vocabulary)
    try:
        return SentencePieceTokenizer(tokenizer, vocabulary)
    except ContractError as error:
        raise StartupError(f"{path}: {error}") from error


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in problem["loc"]) or "manifest"
    return f"{field}: {problem['msg']}"
