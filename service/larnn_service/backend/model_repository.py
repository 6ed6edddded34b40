"""The repository of exported models: find, verify and load a version, or refuse and say why."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from larnn_service.backend.first_run import run_first
from larnn_service.backend.initial_arrays import read_arrays
from larnn_service.backend.layout import Key, Places, by_name, without_name
from larnn_service.backend.model_files import VersionFolder
from larnn_service.backend.onnx_backend import Graph, OnnxAttention, OnnxBackend, Provider
from larnn_service.backend.sources.source import Refused
from larnn_service.backend.tokenizer import SentencePieceTokenizer
from larnn_service.contract import MANIFEST_FILE, ContractError, GraphFile, Manifest, Vocabulary
from larnn_service.errors import Passing, StartupError
from larnn_service.interfaces import Model, Tokenizer

MAX_BYTES = 2**31
"""Of the files of one version together, where nothing else is said: what one ONNX file may have."""

Stamps = frozenset[tuple[str, int, int, int]]
"""Of a version's files their names, sizes, times and numbers: others where a file is another."""


class Repository:
    """The folder models/<name>/<version>/, as it is now: nothing is kept of it.

    What the folder raises is StartupError, whatever its file system says.
    """

    def __init__(
        self,
        root: Path,
        provider: Provider = "auto",
        runs: int = 1,
        *,
        max_bytes: int = MAX_BYTES,
        run_within: float = math.inf,
        served_as: str = "",
        refresh: Callable[[], Refused] = dict,
    ) -> None:
        """Each model that is loaded is ready for `runs` concurrent runs; others as `load_model`.

        `served_as`: the name of the only model, where it is not the manifest's. `refresh` makes the
        folder as its source is, and says what it could not; it raises StartupError.
        """
        self.root, self._refresh = root, refresh
        self._max_bytes, self._served_as = max_bytes, served_as
        self._load = partial(
            load_model, provider=provider, runs=runs, max_bytes=max_bytes, run_within=run_within
        )

    def refresh(self) -> Refused:
        """The folder is as its source is now, but for these. Raises StartupError."""
        refused = self._refresh().items()
        return {(self._served_as or name, version): why for (name, version), why in refused}

    def stamps(self) -> dict[Key, Stamps]:
        """Every version, whole or not, and what tells whether its files have changed."""
        return {
            (name, version): _stamps(folder)
            for name, versions in self._places().items()
            for version, folder in versions.items()
        }

    def names(self) -> list[str]:
        """Every model with a version, whole or not."""
        return list(self._places())

    def versions(self, name: str) -> list[int]:
        """The versions of a model, ascending, whole or not; none of an unknown name."""
        return sorted(self._places().get(name, {}))

    def newest(self, name: str) -> Path:
        """The folder of its highest version. Raises StartupError where it has none."""
        if not (found := self._places().get(name)):
            raise StartupError(f"{self.root} has no version of {name}")
        return found[max(found)]

    def load(self, name: str, version: int) -> Model:
        """A verified version; raises StartupError with the file and the field."""
        folder = self._folder(name, version)
        return self._load(folder, named=self._is_named(folder), served_as=self._served_as)

    def manifest(self, name: str, version: int) -> Manifest:
        """What a version says of itself; raises StartupError with the file and the field."""
        folder = self._folder(name, version)
        files = VersionFolder(folder, self._max_bytes)
        return _manifest(files, self._is_named(folder), self._served_as)

    def _folder(self, name: str, version: int) -> Path:
        return self._places().get(name, {}).get(version, self.root / name / str(version))

    def _is_named(self, folder: Path) -> bool:
        return folder.parent.parent == self.root

    def _places(self) -> Places:
        try:
            return self._found()
        except OSError as error:
            raise Passing(f"{self.root}: cannot be read ({error.strerror})") from error

    def _found(self) -> Places:
        """Raises StartupError where the setting of a name is for several models."""
        if alone := without_name(self.root):
            manifests = [_manifest(VersionFolder(f, self._max_bytes), named=False) for f in alone]
            name = self._served_as or manifests[-1].name
            return {name: {m.version: f for m, f in zip(manifests, alone, strict=True)}}
        places = by_name(self.root)
        if not self._served_as or not places:
            return places
        if len(places) > 1:
            raise StartupError(
                f"LARNN_SERVED_AS={self._served_as}: {self.root} has several models, "
                f"{', '.join(places)}; leave it out, or give it a folder of one"
            )
        return {self._served_as: next(iter(places.values()))}


def load_model(
    folder: Path,
    provider: Provider,
    runs: int = 1,
    *,
    max_bytes: int = MAX_BYTES,
    run_within: float = math.inf,
    named: bool = True,
    served_as: str = "",
) -> Model:
    """Load models/<name>/<version>/; raises StartupError with the file and the field.

    Each file is read once: what was verified is what runs, whatever happens to the file. It has run
    once. `max_bytes`: of its files together. `run_within`: seconds after which a run is ended.
    `named`: the folder's name says what it holds. `served_as`: its name towards clients, where that
    is not the manifest's.
    """
    files = VersionFolder(folder, max_bytes)
    manifest = _manifest(files, named, served_as)
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


def _stamps(folder: Path) -> Stamps:
    """None where the folder cannot be read: as a version it is refused, and the others go on."""
    try:
        found = [(path.name, path.stat()) for path in folder.iterdir()]
    except OSError:
        return frozenset()
    return frozenset((name, s.st_size, s.st_mtime_ns, s.st_ino) for name, s in found)


@contextlib.contextmanager
def _blamed(path: Path) -> Iterator[None]:
    """What contradicts the contract in there is this file's fault."""
    try:
        yield
    except ContractError as error:
        raise StartupError(f"{path}: {error}") from error


def _graph(files: VersionFolder, file: GraphFile) -> Graph:
    return Graph(files.verified(file), {each.file: files.verified(each) for each in file.data})


def _manifest(files: VersionFolder, named: bool = True, served_as: str = "") -> Manifest:
    folder, path = files.path, files.path / MANIFEST_FILE
    try:
        manifest = Manifest.model_validate_json(files.read(MANIFEST_FILE))
    except ValidationError as error:
        raise StartupError(f"{path}: {_first_problem(error)}") from error
    if named and (manifest.name, str(manifest.version)) != (folder.parent.name, folder.name):
        raise StartupError(
            f"{path}: it describes {manifest.name}/{manifest.version}, "
            f"its folder is {folder.parent.name}/{folder.name}"
        )
    return manifest.model_copy(update={"name": served_as}) if served_as else manifest


def _tokenizer(files: VersionFolder, vocabulary: Vocabulary | None) -> Tokenizer | None:
    if vocabulary is None or (file := vocabulary.tokenizer) is None:
        return None
    with _blamed(files.path / file.file):
        return SentencePieceTokenizer(files.verified(file), vocabulary)


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in problem["loc"]) or "manifest"
    return f"{field}: {problem['msg']}"
