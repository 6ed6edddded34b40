"""docs/quick-start.md: its blocks run, and its tables name every command and exit code."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

from larnn_cli import failures
from larnn_cli.app import app
from tests import live
from tests.cli.command import ENVIRONMENT, Larnn
from tests.docs import page, shell

PAGE = page.read("quick-start.md")
BLOCKS = page.blocks(PAGE)


def test_the_commands_run_one_after_the_other(har_url: str, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(live.ROOT / "examples")
    settings = {"LARNN_URL": har_url, "LARNN_MODELS": str(live.ROOT / "models")}
    outputs = [
        shell.run(block.text, tmp_path / "bin", **settings)
        for block in BLOCKS
        if block.language == "sh" and shell.is_run(block.text)
    ]
    models, six, windows, stream, lines, local = outputs
    assert "larnn-har" in models
    assert six.count("recording.npz") == 6
    assert "WALKING" in windows and "WALKING" in stream
    assert (tmp_path / "answers.csv").read_text().startswith("file,first_row,steps,label")
    assert '"position": 100' in lines
    assert local == windows


def test_the_program_runs(har_url: str) -> None:
    [program] = [block.text for block in BLOCKS if block.language == "python"]
    done = subprocess.run(
        [sys.executable, "-c", program.replace("http://localhost:8000", har_url)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip().isupper(), done.stderr


def test_what_it_installs_exists() -> None:
    house = tomllib.loads((live.ROOT / "pyproject.toml").read_text())
    [install] = re.findall(r"^pip install (.+)$", PAGE, re.M)
    own, *folders = shlex.split(install)
    assert all((live.ROOT / folder / "pyproject.toml").is_file() for folder in folders)
    extras = set(own.removeprefix(".[").removesuffix("]").split(","))
    named = extras | set(re.findall(r"larnn\[(\w+)\]", PAGE))
    assert named <= set(house["project"]["optional-dependencies"])
    assert house["project"]["scripts"] == {"larnn": "larnn_cli:main"}


def test_every_command_is_told(larnn: Larnn) -> None:
    for command in app.registered_commands:
        name = command.name or getattr(command.callback, "__name__", "")
        assert re.search(rf"`(larnn )?{name}\b", PAGE), name


def test_every_exit_code_is_told() -> None:
    codes = (0, failures.REFUSED, failures.BAD_INPUT, failures.UNREACHABLE, 130)
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.M)] == list(codes)
    for code in codes:
        assert re.search(rf"\b{code} ", failures.EXIT_CODES), code
