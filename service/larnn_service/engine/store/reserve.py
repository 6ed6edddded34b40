"""A part of the disk that is kept for the day on which it is full: erasing needs room, too."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from pathlib import Path

LARGEST = 16 * 2**20
"""Bytes: a few times what SQLite's log may hold that is not in the file yet."""
_SHARE = 4
"""At most this part of the disk."""
_HALVES = 6
"""How often the size is halved where the disk has no more."""


class Reserve:
    """A file beside the store's, of zeros, in all processes the same one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.size = 0
        """Bytes that it should have. 0 until `hold`, and where the disk can reserve nothing."""
        self.has_spare = True
        """Whether `hold` found a quarter of it free besides."""

    @property
    def is_whole(self) -> bool:
        """Whether it has all its bytes, whichever process took or released them."""
        try:
            return os.stat(self._path).st_size >= self.size
        except OSError:
            return self.size == 0

    def hold(self) -> None:
        """Take its size of the disk; half of it, or a quarter, where the disk has no more."""
        with contextlib.suppress(OSError):  # not even a name fits
            self.size = min(LARGEST, shutil.disk_usage(self._path.parent).total // _SHARE)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                self.has_spare = self._take(descriptor, self.size * 5 // 4)
                if self.has_spare:
                    os.ftruncate(descriptor, self.size)
                else:
                    any(self._take(descriptor, self.size >> halved) for halved in range(_HALVES))
            finally:
                os.close(descriptor)

    def release(self) -> None:
        """Give its bytes to the disk."""
        with contextlib.suppress(OSError):
            os.truncate(self._path, 0)

    def _take(self, descriptor: int, size: int) -> bool:
        """Whether the disk has so much."""
        if not hasattr(os, "posix_fallocate"):  # elsewhere than on Linux
            self.size = 0
            return True
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                return False
            self.size = 0  # it cannot say
        return True
