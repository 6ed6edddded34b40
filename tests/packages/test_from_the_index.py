"""The wheels in an environment of their own, everything else from the package index."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests import live
from tests.packages.wheels import ENVIRONMENT, VERSION

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(900)]


def install(folder: Path, built: dict[str, Path], extra: str) -> Path:
    """The programs of a new environment with larnn and this extra, at the versions of the pins."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "pip"), "install", "-q", "--no-compile"]
    pins = [option for file in ("cpu", "export") for option in ("-c", f"constraints/{file}.txt")]
    others = [str(built["larnn_client"]), str(built["larnn_models"])]
    wanted = [f"{built['larnn']}{extra}", *others]
    subprocess.run([*pip, *pins, *wanted], env=ENVIRONMENT, cwd=live.ROOT, check=True)
    return folder / "bin"


def packages(programs: Path) -> set[str]:
    done = subprocess.run(
        [str(programs / "pip"), "list", "--format", "json"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {package["name"] for package in json.loads(done.stdout)}


def test_a_bare_machine_serves_and_asks(built: dict[str, Path], tmp_path: Path) -> None:
    programs = install(tmp_path / "venv", built, "[serve]")
    assert not {"torch", "onnx", "polars"} & packages(programs)
    command = [str(programs / "larnn"), "serve", "--port", "0"]
    with live.started(command, ENVIRONMENT, tmp_path) as service:
        window = (live.ROOT / "examples" / "window.json").read_bytes()
        answer = httpx.post(f"{service.url}/classify", content=window, timeout=60).json()
        assert answer["predictions"][0]["label"] == "WALKING"
        recording = str(live.ROOT / "examples" / "recording.npz")
        stream = [str(programs / "larnn"), "stream", recording, "--full-speed"]
        done = subprocess.run(
            [*stream, "--url", service.url],
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "WALKING" in done.stdout


def test_asking_alone_brings_nothing_of_the_service(built: dict[str, Path], tmp_path: Path) -> None:
    programs = install(tmp_path / "venv", built, "")
    assert not {"onnxruntime", "fastapi", "uvicorn", "torch", "polars"} & packages(programs)
    larnn = str(programs / "larnn")
    done = subprocess.run([larnn, "--version"], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.stdout == f"larnn {VERSION}\n"
    done = subprocess.run([larnn, "serve"], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 1 and "it comes with larnn[serve]" in done.stderr
