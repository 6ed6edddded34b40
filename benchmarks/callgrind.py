"""A process under valgrind's callgrind, and how many instructions it has run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

PATIENCE = 60.0
"""For one command to callgrind, which answers between two of the process's own steps."""


class CallgrindError(RuntimeError):
    """Callgrind did not do what it was told."""


class Callgrind:
    """Counts from `count` on: before it the process runs faster, and nothing is recorded."""

    def __init__(self, folder: Path) -> None:
        """Dumps go into the folder."""
        self._folder, self._parts, self._total = folder, 0, 0

    @staticmethod
    def is_here() -> bool:
        return all(map(shutil.which, ("valgrind", "callgrind_control")))

    @property
    def command(self) -> list[str]:
        """What stands before the command of the process."""
        options = ("--instr-atstart=no", f"--callgrind-out-file={self._folder / 'out'}")
        return ["valgrind", "-q", "--tool=callgrind", *options]

    def count(self, pid: int) -> None:
        """Count from now on. Raises CallgrindError."""
        self._pid = pid
        self._tell("--instr=on")

    def instructions(self) -> int:
        """Of all threads, since `count`. Raises CallgrindError."""
        self._tell("--dump")
        self._parts += 1
        try:
            dump = (self._folder / f"out.{self._parts}").read_text()
        except FileNotFoundError as error:
            raise CallgrindError(f"no dump: {error}") from error
        self._total += sum(map(int, re.findall(r"^totals: (\d+)", dump, re.MULTILINE)))
        return self._total

    def _tell(self, order: str) -> None:
        command = ["callgrind_control", order, str(self._pid)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise CallgrindError(f"{order}: no answer within {PATIENCE:g} s") from None
        if done.returncode or "OK" not in done.stdout:
            raise CallgrindError(f"{order}: {done.stdout[-500:]}{done.stderr[-500:]}")
