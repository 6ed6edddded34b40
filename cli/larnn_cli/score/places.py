"""Where recordings are and where their answers go: folders here, or buckets by fsspec."""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa

from larnn_export.data import DataError
from larnn_service.backend.sources.file_system import buckets

SUFFIX = ".parquet"
ALONE = "answers.parquet"
"""The answers to a file that is a source by itself."""
ABOUT = "_score.json"
"""Says what the answers of a folder are answers to; readers of Parquet pass over such a name."""


@dataclass(frozen=True)
class Job:
    """A file to be scored."""

    path: str
    """Below the source; empty where that is a file itself."""

    @property
    def answers(self) -> str:
        """The file of its answers, below the target."""
        return self.path or ALONE


class Draft(NamedTuple):
    """A file that nobody sees before it is whole."""

    path: Path
    publish: Callable[[], object]
    """Put it in its place."""

    def close(self) -> None:
        """Nothing is left of it where it was not published."""
        self.path.unlink(missing_ok=True)


class Folder:
    """A folder, or a single file of recordings, here or in a bucket."""

    def __init__(self, address: str) -> None:
        """A path, or an address of fsspec such as s3://bucket/path. Raises DataError."""
        self.address = address
        if address.startswith("s3://"):
            self._files, self._root = buckets(), address.removeprefix("s3://").rstrip("/")
        else:
            from fsspec.core import url_to_fs

            try:
                self._files, root = url_to_fs(address)
            except (ImportError, ValueError) as error:
                raise DataError(f"{address}: {error}") from error
            self._root = root.rstrip("/")
        self._is_here = "file" in self._files.protocol

    def jobs(self) -> list[Job]:
        """Every Parquet file in it, sorted; none of those whose names begin with a dot or a
        line, as other readers do. Raises DataError where there is none."""
        try:
            found = self._files.find(self._root)
        except OSError as error:
            raise DataError(f"{self.address}: {error}") from error
        jobs = [
            Job(path[len(self._root) :].lstrip("/"))
            for path in sorted(found)
            if path.endswith(SUFFIX) and posixpath.basename(path)[0] not in "._"
        ]
        if not jobs:
            raise DataError(f"{self.address} has no {SUFFIX} file")
        return jobs

    def read(self, path: str) -> IO[bytes]:
        """A file of it, to be read here and there. Raises DataError."""
        try:
            at = self._at(path)
            opened: IO[bytes] = pa.OSFile(at) if self._is_here else self._files.open(at)
        except OSError as error:
            raise DataError(f"it cannot be read: {error}") from error
        return opened

    def paths(self) -> set[str]:
        """Of the files that are there; none where there is no such folder."""
        self._files.invalidate_cache()
        with contextlib.suppress(FileNotFoundError):
            return {path[len(self._root) :].lstrip("/") for path in self._files.find(self._root)}
        return set()

    def draft(self, path: str) -> Draft:
        """Where to write a file of it."""
        to = self._at(path)
        if self._is_here:
            part = Path(to).with_name(f".{Path(to).name}.part")
            part.parent.mkdir(parents=True, exist_ok=True)
            return Draft(part, lambda: os.replace(part, to))
        handle, name = tempfile.mkstemp(suffix=SUFFIX)
        os.close(handle)
        return Draft(Path(name), lambda: self._files.put_file(name, to))

    def claim(self, about: dict[str, Any]) -> None:
        """Say what its answers are answers to. Raises DataError where they are to another
        question."""
        if ABOUT in self.paths():
            with self.read(ABOUT) as file:
                before = json.load(file)
            if before != about:
                other = [name for name in about if before.get(name) != about[name]]
                raise DataError(
                    f"{self.address} has answers of another kind: {', '.join(other)} differ; "
                    f"name another folder, or remove it ({ABOUT} says what they are)"
                )
            return
        with contextlib.closing(self.draft(ABOUT)) as draft:
            draft.path.write_text(json.dumps(about, indent=1) + "\n")
            draft.publish()

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root
