"""The wheels of this tree, and environments that have nothing else of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tests import live

SOURCES = (".", "client", "wheels/models")
COPIED = ("LICENSE", "NOTICE", "pyproject.toml", "docs", "service", "export", "cli", "client")
LEFT = shutil.ignore_patterns("build", "*.egg-info", "__pycache__", "checkpoint", "pictures")
VERSION: str = tomllib.loads((live.ROOT / "pyproject.toml").read_text())["project"]["version"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
"""Without the way to this tree."""


def build(folder: Path) -> dict[str, Path]:
    """The wheels by name, made of a copy in which nothing lies from an earlier time."""
    tree, dist = folder / "tree", folder / "dist"
    for name in (*COPIED, "wheels", "models"):
        source = live.ROOT / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=LEFT)
        else:
            tree.mkdir(exist_ok=True)
            shutil.copyfile(source, tree / name)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    for project in SOURCES:
        subprocess.run([*command, "-w", str(dist), str(tree / project)], check=True, timeout=300)
    return {wheel.name.partition("-")[0]: wheel for wheel in dist.glob("*.whl")}


def install(wheels: dict[str, Path], folder: Path) -> Path:
    """The programs of a new environment with the wheels; all else is this process's own."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-compile"]
    wanted = [str(wheel) for wheel in wheels.values()]
    subprocess.run(
        [*pip, "--no-index", "--no-deps", *wanted], env=ENVIRONMENT, check=True, timeout=300
    )
    [packages] = folder.glob("lib/python*/site-packages")
    here = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "dependencies.pth").write_text("\n".join(here))
    return folder / "bin"
