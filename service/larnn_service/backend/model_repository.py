"""The repository of exported models: find, verify and load a version, or refuse and say why."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from larnn_service.backend.first_run import run_first
from larnn_service.backend.initial_arrays import read_arrays
from larnn_service.backend.model_files import VersionFolder
from larnn_service.backend.onnx_backend import Graph, OnnxAttention, OnnxBackend, Provider
from larnn_service.backend.tokenizer import SentencePieceTokenizer
from larnn_service.contract import MANIFEST_FILE, ContractError, GraphFile, Manifest, Vocabulary
from larnn_service.errors import StartupError
from larnn_service.interfaces import Model, Tokenizer

MAX_BYTES = 2**31
"""Of the files of one version together, where nothing else is said: what one ONNX file may have."""


class Repository:
    """The folder models/<name>/<version>/, as it is now: nothing is kept of it."""

    def __init__(
        self,
        root: Path,
        provider: Provider = "auto",
        runs: int = 1,
        *,
        max_bytes: int = MAX_BYTES,
        run_within: float = math.inf,
    ) -> None:
        """Each model that is loaded is ready for `runs` concurrent runs; others as `load_model`."""
        self.root = root
        self._max_bytes = max_bytes
        self._load = partial(
            load_model, provider=provider, runs=runs, max_bytes=max_bytes, run_within=run_within
        )

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
        return self._load(self.root / name / str(version))

    def manifest(self, name: str, version: int) -> Manifest:
        """What a version says of itself; raises StartupError with the file and the field."""
        return _manifest(VersionFolder(self.root / name / str(version), self._max_bytes))


def _versions(folder: Path) -> list[int]:
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if _is_version(path))


def _is_version(path: Path) -> bool:
    return path.name.isascii() and path.name.isdecimal() and path.name[0] != "0" and path.is_dir()


def load_model(
    folder: Path,
    provider: Provider,
    runs: int = 1,
    *,
    max_bytes: int = MAX_BYTES,
    run_within: float = math.inf,
) -> Model:
    """Load models/<name>/<version>/; raises StartupError with the file and the field.

    Each file is read once: what was verified is what runs, whatever happens to the file. It has run
    once. `max_bytes`: of its files together. `run_within`: seconds after which a run is ended.
    """
    files = VersionFolder(folder, max_bytes)
    manifest = _manifest(files)
    contract, graph, second = manifest.contract, manifest.graph, manifest.attention
    with _blamed(folder / MANIFEST_FILE):
        arrays = read_arrays(files, contract)
    with _blamed(folder / graph.file):
        whole = _graph(files, graph)
        backend = OnnxBackend(whole, contract, provider, runs, run_within)
    attention = None
    if second is not None:
        with _blamed(folder / second.file):
            attention = OnnxAttention(_graph(files, second), contract, run_within)
    with _blamed(folder / graph.file):
        run_first(backend, attention, contract, contract.initial_state(arrays))
    return Model(manifest, backend, attention, _tokenizer(files, contract.vocabulary), arrays)


@contextlib.contextmanager
def _blamed(path: Path) -> Iterator[None]:
    """What contradicts the contract in there is this file's fault."""
    try:
        yield
    except ContractError as error:
        raise StartupError(f"{path}: {error}") from error


def _graph(files: VersionFolder, file: GraphFile) -> Graph:
    return Graph(files.verified(file), {each.file: files.verified(each) for each in file.data})


def _manifest(files: VersionFolder) -> Manifest:
    folder, path = files.path, files.path / MANIFEST_FILE
    try:
        manifest = Manifest.model_validate_json(files.read(MANIFEST_FILE))
    except ValidationError as error:
        raise StartupError(f"{path}: {_first_problem(error)}") from error
    if (manifest.name, str(manifest.version)) != (folder.parent.name, folder.name):
        raise StartupError(
            f"{path}: it describes {manifest.name}/{manifest.version}, "
            f"its folder is {folder.parent.name}/{folder.name}"
        )
    return manifest


def _tokenizer(files: VersionFolder, vocabulary: Vocabulary | None) -> Tokenizer | None:
    if vocabulary is None or (file := vocabulary.tokenizer) is None:
        return None
    with _blamed(files.path / file.file):
        return SentencePieceTokenizer(files.verified(file), vocabulary)


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in problem["loc"]) or "manifest"
    return f"{field}: {problem['msg']}"
