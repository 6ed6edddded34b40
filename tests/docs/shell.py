"""The pages' shell commands, run in a real shell where `larnn` is the command of this tree."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.cli.command import ENVIRONMENT

INSTALLS = ("make ", "pip ", "docker ", "python3 -m venv", "larnn serve")
"""Begin blocks that install or stay: their tests are elsewhere."""


def is_run(block: str) -> bool:
    return not block.startswith(INSTALLS)


def run(block: str, bin: Path, **environment: str) -> str:
    """What the block writes to the standard output; it must end with 0."""
    bin.mkdir(exist_ok=True)
    for name, module in (("larnn", "cli"), ("python", "")):
        program = bin / name
        arguments = f"-m {module} " if module else ""
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        program.chmod(0o755)
    done = subprocess.run(
        ["bash", "-ec", block],
        env=ENVIRONMENT | environment | {"PATH": f"{bin}{os.pathsep}{os.environ['PATH']}"},
        cwd=bin.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, (block, done.stderr)
    return done.stdout
