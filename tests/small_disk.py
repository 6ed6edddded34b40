"""A disk of a few megabytes, for tests of what happens when it is full."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

MOUNT = shutil.which("mount")


@contextlib.contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """A file system in memory at the folder; skips the test where that is not allowed."""
    folder.mkdir()
    command = [MOUNT or "mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if MOUNT is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root may mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> Path:
    """Somebody else's file, which takes all that is free."""
    file = folder / "somebody-elses"
    descriptor = os.open(file, os.O_CREAT | os.O_WRONLY)
    with contextlib.suppress(OSError):
        while True:
            os.write(descriptor, bytes(4096))
    os.close(descriptor)
    return file
