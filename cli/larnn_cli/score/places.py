"""Where recordings are and where their answers go: folders here, or buckets by fsspec."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

import pyarrow as pa

from larnn_cli.score.errors import told
from larnn_export.data import DataError
from larnn_service.backend.sources.file_system import buckets

SUFFIX = ".parquet"
ALONE = "answers.parquet"
"""The answers to a file that is a source by itself."""
ABOUT = "_score.json"
"""Says what the answers of a folder are answers to; readers of Parquet pass over such a name."""
PART = ".part"
OLD = 86_400
"""Seconds after which a part that nobody has written to is of a run that was killed."""


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
        """Every Parquet file in it, sorted; none of those where a name below it begins with a dot
        or a line, as other readers do. Raises DataError where there is none."""
        jobs = [
            Job(path)
            for path in sorted(self.paths())
            if (path or self._root).endswith(SUFFIX)
            and not any(name.startswith((".", "_")) for name in path.split("/"))
        ]
        if not jobs:
            raise DataError(f"{self.address} has no {SUFFIX} file")
        return jobs

    def read(self, path: str) -> IO[bytes]:
        """A file of it, to be read here and there. Raises what the place does, as `told` takes."""
        at = self._at(path)
        opened: IO[bytes] = pa.OSFile(at) if self._is_here else self._files.open(at)
        return opened

    def paths(self) -> set[str]:
        """Of the files that are there; none where there is no such folder, and an empty one where
        it is a file itself. Raises DataError."""
        with told(self.address), contextlib.suppress(FileNotFoundError):
            self._files.invalidate_cache()
            return {path[len(self._root) :].lstrip("/") for path in self._files.find(self._root)}
        return set()

    def draft(self, path: str) -> Draft:
        """Where to write a file of it, by this run alone. Raises what the place does."""
        to = self._at(path)
        if self._is_here:
            part = Path(to).with_name(f".{secrets.token_hex(8)}{PART}")
            part.parent.mkdir(parents=True, exist_ok=True)
            return Draft(part, lambda: os.replace(part, to))
        handle, name = tempfile.mkstemp(suffix=SUFFIX)
        os.close(handle)
        return Draft(Path(name), lambda: self._files.put_file(name, to))

    def overlaps(self, other: Folder) -> bool:
        """Whether one of them is the other, or below it."""
        mine, theirs = self._path(), other._path()
        return type(self._files) is type(other._files) and (
            mine.is_relative_to(theirs) or theirs.is_relative_to(mine)
        )

    def claim(self, about: dict[str, Any]) -> None:
        """Say what its answers are answers to, and remove what runs that were killed have left.

        Raises DataError where they are to another question, or none of this command's.
        """
        there = self.paths()
        if "" in there:
            raise DataError(f"{self.address} is a file; name a folder for the answers")
        with told(self.address):
            self._sweep(there)
            if ABOUT in there:
                return self._compare(about)
            if any(path.endswith(SUFFIX) for path in there):
                raise DataError(
                    f"{self.address} has {SUFFIX} files and no {ABOUT}, so they are no answers of "
                    "this command; name another folder"
                )
            with contextlib.closing(self.draft(ABOUT)) as draft:
                draft.path.write_text(json.dumps(about, indent=1) + "\n")
                draft.publish()

    def _compare(self, about: dict[str, Any]) -> None:
        with self.read(ABOUT) as file:
            try:
                before = dict(json.load(file))
            except (ValueError, TypeError) as error:
                raise DataError(
                    f"{self.address}: {ABOUT} is damaged, so nobody knows what the answers there "
                    "are answers to; name another folder, or remove it"
                ) from error
        if before != about:
            other = [name for name in about if before.get(name) != about[name]]
            raise DataError(
                f"{self.address} has answers of another kind: {', '.join(other)} differ; "
                f"name another folder, or remove it ({ABOUT} says what they are)"
            )

    def _sweep(self, there: set[str]) -> None:
        for path in there if self._is_here else ():
            part = Path(self._at(path))
            with contextlib.suppress(FileNotFoundError):  # another run's, which is done with it
                if part.suffix == PART and time.time() - part.stat().st_mtime > OLD:
                    part.unlink()

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}" if path else self._root

    def _path(self) -> PurePosixPath:
        return PurePosixPath(os.path.realpath(self._root) if self._is_here else self._root)
