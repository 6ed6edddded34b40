"""A version on its way from its source: the manifest, then the files that it names, checked."""

from __future__ import annotations

import time
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from larnn_service.backend.initial_arrays import named_files
from larnn_service.backend.model_files import VersionFolder
from larnn_service.backend.sources.source import Found, Source, said
from larnn_service.contract import MANIFEST_FILE, Manifest
from larnn_service.errors import StartupError
from larnn_service.tensors import File

Marks = dict[str, Found]
"""What a source says of each file of a folder."""


class NotWhole(StartupError):
    """A source's version is not as its manifest says, and will not be before its files change."""


class Fetch:
    """What a source has at one place."""

    def __init__(
        self, source: Source, place: PurePosixPath, marks: Marks, max_bytes: int, until: float
    ) -> None:
        """`marks`: of the files there. `max_bytes`: of the version's files together. `until`: when,
        by the monotonic clock, no further file is begun."""
        self.place, self.marks = place, marks
        self._source, self._max_bytes, self._until = source, max_bytes, until

    def manifest(self, folder: Path) -> Manifest:
        """Of the version, from the folder if it has come there before. Raises StartupError."""
        if not (folder / MANIFEST_FILE).exists():
            folder.mkdir(exist_ok=True)
            self._get(MANIFEST_FILE, folder)
        try:
            text = VersionFolder(folder, self._max_bytes).read(MANIFEST_FILE)
            return Manifest.model_validate_json(text)
        except ValidationError as error:
            field = ".".join(map(str, error.errors()[0]["loc"]))
            raise NotWhole(f"{MANIFEST_FILE}: {field or 'no JSON'}") from error

    def whole(self, folder: Path) -> Marks:
        """All files of the version into the folder, and no others; what the source says of them.
        Raises StartupError."""
        wanted = sorted(_files_of(self.manifest(folder)), key=lambda file: file.file)
        names = {MANIFEST_FILE, *(file.file for file in wanted)}
        if sum(self.marks[name].size for name in names & self.marks.keys()) > self._max_bytes:
            raise self._too_large()
        files = VersionFolder(folder, self._max_bytes)
        for file in wanted:
            self._get(file.file, folder)
            try:
                files.verified(file)
            except StartupError as error:
                raise NotWhole(str(error).removeprefix(f"{folder}/")) from error
        return {name: self.marks[name] for name in names}

    def _get(self, name: str, folder: Path) -> None:
        if name not in self.marks:
            raise NotWhole(f"{name} is not there")
        if self.marks[name].size > self._max_bytes:
            raise self._too_large()
        if time.monotonic() >= self._until:
            raise StartupError(f"{name} was not fetched within LARNN_FETCH_TIMEOUT")
        try:
            self._source.fetch(str(self.place / name), folder / name)
        except Exception as error:  # of whichever library: each has its own
            raise StartupError(f"{name}: {said(error)}") from error

    def _too_large(self) -> NotWhole:
        return NotWhole(f"it is larger than LARNN_MAX_MODEL={self._max_bytes}")


def _files_of(manifest: Manifest) -> set[File]:
    """Every file that the service reads of a version, beside the manifest."""
    contract = manifest.contract
    graphs = [graph for graph in (manifest.graph, manifest.attention) if graph is not None]
    found: list[File] = [file for graph in graphs for file in (graph, *graph.data)]
    if contract.vocabulary is not None and contract.vocabulary.tokenizer is not None:
        found.append(contract.vocabulary.tokenizer)
    found += [file for _, file in named_files(contract)]
    return {File(file=file.file, sha256=file.sha256) for file in found}
