"""Models of a source in a folder of this machine: a version is there whole and checked, or not."""

from __future__ import annotations

import fcntl
import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from pydantic import ValidationError

from larnn_service.backend.initial_arrays import named_files
from larnn_service.backend.model_files import VersionFolder
from larnn_service.backend.sources.source import Found, Source
from larnn_service.contract import MANIFEST_FILE, Manifest
from larnn_service.errors import StartupError
from larnn_service.tensors import File

logger = logging.getLogger(__name__)

_MARKS = ".marks.json"
"""In a version's folder: what its source said of each file."""
_BEGUN = ".fetch-"
"""What the name of a folder begins with, while a version is fetched into it."""
Marks = dict[str, Found]


class Cache:
    """The folder models/<name>/<version>/ that a source fills."""

    def __init__(self, root: Path, source: Source, address: str, max_bytes: int) -> None:
        """`max_bytes`: of a version's files together."""
        self.root = root
        self._source, self._address, self._max_bytes = source, address, max_bytes

    def refresh(self, first: bool = False) -> bool:
        """Fetch what the source has and the folder has not. Whether anything changed.

        Versions that the source has no more stay while streams may rest on them, until the next
        start, which is the `first`. Raises StartupError where the source does not answer, or has no
        model, and where a version is not as its manifest says: the others are fetched before.
        """
        try:
            listed = self._source.files()
        except Exception as error:  # of whichever library: each has its own
            raise StartupError(f"LARNN_MODELS={self._address}: {_said(error)}") from error
        places = [path.parent for path in map(PurePosixPath, listed) if path.name == MANIFEST_FILE]
        if not places:
            raise StartupError(f"LARNN_MODELS={self._address}: there is no {MANIFEST_FILE}")
        self.root.mkdir(parents=True, exist_ok=True)
        with self._alone():
            self._tidy()
            return self._take(sorted(places), listed, first)

    def _tidy(self) -> None:
        """Remove what a process that was killed has left: nobody else is at work here."""
        for left in self.root.glob(f"{_BEGUN}*/"):
            shutil.rmtree(left)

    def _take(self, places: list[PurePosixPath], listed: Marks, first: bool) -> bool:
        found = self.root.glob("[!.]*/*")  # `*` alone matches hidden ones, too
        known = {folder: _marks_of(folder) for folder in found if folder.is_dir()}
        wrong: list[StartupError] = []
        kept: set[Path] = set()
        changed = False
        for place in places:
            marks = {
                path.name: found
                for path, found in ((PurePosixPath(p), f) for p, f in listed.items())
                if path.parent == place
            }
            same = [folder for folder, had in known.items() if had and had.items() <= marks.items()]
            try:
                kept.add(same[0] if same else self._fetch(place, marks))
                changed = changed or not same
            except StartupError as error:
                wrong.append(error)
        for gone in (known.keys() - kept) if first and not wrong else ():
            shutil.rmtree(gone)
        if wrong:
            raise wrong[0]
        return changed

    def _fetch(self, place: PurePosixPath, marks: Marks) -> Path:
        """A version's folder, with the files that its manifest names, and no others."""
        with TemporaryDirectory(dir=self.root, prefix=_BEGUN) as made:
            folder = Path(made) / "version"
            folder.mkdir()
            self._get(place, MANIFEST_FILE, folder, marks)
            files = VersionFolder(folder, self._max_bytes)
            try:
                manifest = Manifest.model_validate_json(files.read(MANIFEST_FILE))
            except ValidationError as error:
                field = ".".join(map(str, error.errors()[0]["loc"]))
                raise self._wrong(place, f"{MANIFEST_FILE}: {field or 'no JSON'}") from error
            wanted = sorted(_files_of(manifest), key=lambda file: file.file)
            if sum(marks[f.file].size for f in wanted if f.file in marks) > self._max_bytes:
                raise self._wrong(place, f"larger than LARNN_MAX_MODEL={self._max_bytes}")
            for file in wanted:
                self._get(place, file.file, folder, marks)
                files.verified(file)
            told = {name: marks[name] for name in {MANIFEST_FILE, *(f.file for f in wanted)}}
            (folder / _MARKS).write_text(json.dumps(told))
            return self._swap(folder, self.root / manifest.name / str(manifest.version))

    def _get(self, place: PurePosixPath, name: str, folder: Path, marks: Marks) -> None:
        if name not in marks:
            raise self._wrong(place, f"{name} is not there")
        try:
            self._source.fetch(str(place / name), folder / name)
        except Exception as error:
            raise self._wrong(place, f"{name}: {_said(error)}") from error

    def _swap(self, folder: Path, place: Path) -> Path:
        """The folder takes the place of what was there. Files that somebody reads stay readable."""
        place.parent.mkdir(exist_ok=True)
        if place.exists():
            place.rename(folder.parent / "before")
        folder.rename(place)
        logger.info("%s/%s is fetched from %s", place.parent.name, place.name, self._address)
        return place

    def _wrong(self, place: PurePosixPath, why: str) -> StartupError:
        return StartupError(f"LARNN_MODELS={self._address}: {place}: {why}")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Several processes may share the folder."""
        with open(self.root / ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _marks_of(folder: Path) -> Marks:
    try:
        told = json.loads((folder / _MARKS).read_text())
        return {name: Found(*each) for name, each in told.items()}
    except (OSError, ValueError, TypeError):
        return {}


def _files_of(manifest: Manifest) -> set[File]:
    """Every file that the service reads of a version, beside the manifest."""
    contract = manifest.contract
    graphs = [graph for graph in (manifest.graph, manifest.attention) if graph is not None]
    found: list[File] = [file for graph in graphs for file in (graph, *graph.data)]
    if contract.vocabulary is not None and contract.vocabulary.tokenizer is not None:
        found.append(contract.vocabulary.tokenizer)
    found += [file for _, file in named_files(contract)]
    return {File(file=file.file, sha256=file.sha256) for file in found}


def _said(error: Exception) -> str:
    """The first line of what a library says."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:300]}"
