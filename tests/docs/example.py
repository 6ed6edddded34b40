"""Running a page that trains, publishes, serves and streams an example, by its blocks alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests import live
from tests.docs import page

SOURCES = os.pathsep.join([str(live.ROOT), *live.PACKAGES])


def walk(text: str, folder: Path) -> tuple[str, str]:
    """What the commands for training and for streaming say; their service runs between them.

    In a folder of its own; pip's line is checked and not run: the environment has what it names.
    """
    train, serve, ask = [block.text for block in page.blocks(text) if block.language == "sh"]
    venv, install, train = train.splitlines()
    assert venv == "python3 -m venv .venv && . .venv/bin/activate"
    _can_be_installed(install)
    trained = _run(train, folder)
    command = serve.replace("larnn", "cli").replace("--models models", f"--models {folder}/models")
    (folder / "docs" / "pictures").mkdir(parents=True)
    with live.process(command) as service:
        return trained, _run(f"{ask} --url {service.url}", folder)


def _can_be_installed(line: str) -> None:
    named = re.fullmatch(r"pip install '\.\[([\w,]+)\]' \./client", line)
    assert named is not None
    project = tomllib.loads((live.ROOT / "pyproject.toml").read_text())["project"]
    assert set(named[1].split(",")) <= set(project["optional-dependencies"])
    assert (live.ROOT / "client" / "pyproject.toml").is_file()


def _run(command: str, folder: Path) -> str:
    python, *arguments = command.split()
    assert python == "python"
    return run(arguments, folder)


def run(arguments: list[str], folder: Path) -> str:
    """What Python prints in this folder, on one thread, with the packages at hand."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": SOURCES, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
