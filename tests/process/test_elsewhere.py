"""What macOS and Windows have not is not asked for: the service starts, answers and ends, and the
command line and the client work."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from larnn_client import Client
from tests import live

PROGRAM = [sys.executable, str(live.ROOT / "tests" / "process" / "elsewhere.py")]
SYSTEMS = ("macos", "windows")
WINDOW = (live.ROOT / "examples" / "window.json").read_bytes()
RECORDING = str(live.ROOT / "examples" / "recording.npz")


def run(system: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, system, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_the_service_answers_and_ends(system: str, store: str, tmp_path: Path) -> None:
    place = "memory" if store == "memory" else f"sqlite:///{tmp_path}/streams.db"
    command = [*PROGRAM, system, "larnn_service", "--port", "0", "--store", place]
    environment = os.environ | {"LARNN_MODELS": str(live.ROOT / "models")}
    with live.started(command, environment, tmp_path) as service:
        answer = httpx.post(f"{service.url}/classify", content=WINDOW, timeout=60).json()
        assert answer["predictions"][0]["label"] == "WALKING"
        with Client(service.url) as client, client.stream() as stream:
            stream.send([[0.0] * 9] * 5)
            assert stream.receive().position == 5
        told = run(system, "larnn_cli", "stream", RECORDING, "--full-speed", "--url", service.url)
        assert told.returncode == 0 and "WALKING" in told.stdout, told.stderr
        assert service.stop() == 0


@pytest.mark.parametrize(
    ("system", "arguments", "said"),
    [
        *((each, ["--workers", "2", "--store", "sqlite:////x"], "for Linux") for each in SYSTEMS),
        ("windows", ["--models", "s3://bucket/models"], "Linux and macOS: name a folder"),
    ],
)
def test_what_is_not_to_be_had_there_is_refused(
    system: str, arguments: list[str], said: str
) -> None:
    done = run(system, "larnn_service", "--port", "0", *arguments)
    assert done.returncode == 1
    assert said in done.stderr


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("command", ["bridge", "score"])
def test_the_command_line_is_there(system: str, command: str) -> None:
    done = run(system, "larnn_cli", command, "--help")
    assert done.returncode == 0, done.stderr
