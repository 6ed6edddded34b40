"""`larnn`, run in this process or in its own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from larnn_cli import main
from tests import live

ENVIRONMENT = os.environ | {
    "PYTHONPATH": os.pathsep.join([str(live.ROOT), *live.PACKAGES]),
    "COLUMNS": "120",
}


@dataclass(frozen=True)
class Done:
    """What a command wrote, and its exit code."""

    code: int
    out: str
    err: str


class Larnn:
    """Runs `larnn` in this process; the packages are imported once for all tests."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> Done:
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as exit:
            main([str(argument) for argument in arguments])
        out, err = self._capsys.readouterr()
        code = exit.value.code
        assert isinstance(code, int | None)
        return Done(code or 0, out, err)


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """`larnn` as a process with pipes to it."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli", *map(str, arguments)],
        env=ENVIRONMENT,
        cwd=live.ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run(*arguments: str | Path, given: str = "") -> Done:
    """`larnn` as a process, to its end."""
    with start(*arguments) as process:
        out, err = process.communicate(given, timeout=120)
    return Done(process.returncode, out, err)
