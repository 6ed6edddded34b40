"""The files of one version, each read once: what was checked is what runs."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from larnn_service.contract import MANIFEST_FILE
from larnn_service.errors import Passing, StartupError
from larnn_service.tensors import File


class VersionFolder:
    """Regular files of models/<name>/<version>/, none from elsewhere, of bounded size together."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        """`max_bytes`: of all files that are read."""
        self.path = path
        self._max_bytes = self._left = max_bytes

    def verified(self, file: File) -> bytes:
        """What is in the file. Raises StartupError where that is not as published."""
        data = self.read(file.file)
        digest = hashlib.sha256(data).hexdigest()
        if digest != file.sha256:
            raise StartupError(
                f"{self.path / file.file}: its SHA-256 is {digest}, {MANIFEST_FILE} says "
                f"{file.sha256}; the file is damaged or half copied: publish or copy it again"
            )
        return data

    def read(self, name: str) -> bytes:
        """All of a file. Raises StartupError, with its path."""
        path = self.path / name
        try:
            if not path.resolve().is_relative_to(self.path.resolve()):
                raise StartupError(f"{path}: it leads out of its folder; put the file itself there")
            with open(path, "rb", opener=_at_once) as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise StartupError(f"{path}: cannot be read (it is no regular file)")
                if status.st_size > self._left:
                    raise StartupError(
                        f"{path}: with it the version's files are larger than "
                        f"{self._max_bytes} bytes together; LARNN_MAX_MODEL allows more"
                    )
                self._left -= status.st_size
                return file.read(status.st_size)
        except (OSError, RuntimeError) as error:  # links in a circle are a RuntimeError
            reason = error.strerror if isinstance(error, OSError) else "its links go in a circle"
            lasts = isinstance(error, RuntimeError | FileNotFoundError)
            kind = StartupError if lasts else Passing
            raise kind(f"{path}: cannot be read ({reason})") from error


def _at_once(path: str, flags: int) -> int:
    """Without waiting for somebody who writes into a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
