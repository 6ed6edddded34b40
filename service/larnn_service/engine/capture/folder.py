"""The files that were captured: <model>/<version>/<stream>/, deleted by stream, age and size."""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from glob import iglob
from itertools import count
from pathlib import Path

from larnn_service.contract import Manifest
from larnn_service.engine.capture.description import FILE, described

FORGOTTEN = ".forgotten"
"""Folder of marks: of streams whose files another process may yet be about to write."""
DRAFTS = ".drafts"
"""Folder of files that are not whole yet."""
DAY = 86_400.0
LEFT_OVER = 3_600.0
"""Seconds after which nobody writes a draft any more, or a file of a stream that was forgotten."""
NAME = re.compile(r"[0-9a-f]{12}")
"""Of a stream, as `tag` makes it."""


class Folder:
    """Several processes may share it. Every method blocks."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._mark, self._drafts = secrets.token_hex(4), count()

    def prepare(self) -> None:
        """Make it, for its owner alone, and see that files can be written. Raises OSError."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in (DRAFTS, FORGOTTEN):
            (self.root / name).mkdir(mode=0o700, exist_ok=True)
        probe = self.draft("probe")
        probe.write_bytes(b"\n")
        probe.unlink()

    def draft(self, name: str) -> Path:
        """Where to write what becomes a file; nobody else has it."""
        return self.root / DRAFTS / f"{self._mark}-{next(self._drafts)}-{name}"

    def place(self, manifest: Manifest, stream: str) -> Path:
        """Where the files of a stream are; their version's description is made where there is
        none. Raises OSError."""
        version = self.root / manifest.name / str(manifest.version)
        place = version / stream
        place.mkdir(parents=True, exist_ok=True)
        if not (version / FILE).exists():
            draft = self.draft(f"{manifest.name}-{manifest.version}")
            try:
                draft.write_text(described(manifest), encoding="utf-8")
                draft.replace(version / FILE)
            finally:
                draft.unlink(missing_ok=True)
        return place

    def publish(self, draft: Path, file: Path) -> bool:
        """Put a whole file in its place. Whether it stays: not if its stream was forgotten.

        Raises OSError."""
        try:
            draft.replace(file)
        except FileNotFoundError:  # another process has deleted the folder with its last file
            file.parent.mkdir(exist_ok=True)
            draft.replace(file)
        if self.is_forgotten(file.parent.name):
            _delete(file)
            return False
        return True

    def is_forgotten(self, stream: str) -> bool:
        """Whether what comes of the stream is not to be written."""
        return (self.root / FORGOTTEN / stream).exists()

    def forget(self, stream: str) -> int:
        """Delete all files of a stream, here and those that other processes are about to write.

        How many there were. `stream`: its name here. Raises OSError.
        """
        marks = self.root / FORGOTTEN
        marks.mkdir(mode=0o700, exist_ok=True)
        (marks / stream).touch()  # first: whoever publishes behind it sees it
        files = self._files(f"*/*/{stream}/*.parquet")
        for _, _, file in files:
            _delete(file)
        return len(files)

    def sweep(self, days: float, most: int) -> int:
        """Delete what is older, and the oldest while there are more bytes. How many files went.

        Raises OSError.
        """
        now, kept, gone = time.time(), 0, 0
        for when, size, file in self._files("*/*/*/*.parquet"):
            kept += size
            if (when < now - days * DAY or kept > most) and _is_as_old(file, when):
                _delete(file)
                gone += 1
        for folder, age in ((DRAFTS, LEFT_OVER), (FORGOTTEN, LEFT_OVER)):
            for when, _, file in self._files(f"{folder}/*"):
                if when < now - age:
                    file.unlink(missing_ok=True)
        return gone

    def _files(self, pattern: str) -> list[tuple[float, int, Path]]:
        """When each was written, its size and its path; the newest first."""
        found = []
        for name in iglob(pattern, root_dir=self.root):
            path = self.root / name
            with contextlib.suppress(FileNotFoundError):  # another process deletes, too
                stat = path.stat()
                found.append((stat.st_mtime, stat.st_size, path))
        return sorted(found, reverse=True)


def _is_as_old(file: Path, when: float) -> bool:
    """Whether it is there and was not written since; another process may have added to it."""
    with contextlib.suppress(FileNotFoundError):
        return file.stat().st_mtime == when
    return False


def _delete(file: Path) -> None:
    """And its folder, where it was the last."""
    file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        file.parent.rmdir()
