"""The library as a package: small, typed, pinned, and nothing of the service in it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import larnn_client
from larnn_client import errors
from larnn_service.wire.error_responses import FAILURES
from tests import live
from tests.deploy.test_house import PINS, names

CLIENT = live.ROOT / "client"


def test_it_needs_httpx_numpy_and_websockets_alone() -> None:
    needs = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert names("\n".join(needs)) == {"httpx", "numpy", "websockets"}
    assert names("\n".join(needs)) <= names("".join(f.read_text() for f in PINS.glob("*.txt")))


def test_importing_it_imports_nothing_of_the_service() -> None:
    program = (
        "import sys, larnn_client\n"
        "print({'service', 'export', 'fastapi', 'pydantic', 'msgspec'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CLIENT / "src", capture_output=True, text=True
    )
    assert done.stdout.strip() == "set()", done.stderr


def test_a_wheel_of_it_is_whole_and_typed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    source = tmp_path / "client"
    subprocess.run(["cp", "-r", CLIENT, source], check=True)
    subprocess.run([*command, "-w", str(tmp_path), str(source)], check=True, timeout=300)
    [wheel] = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    expected = {f"larnn_client/{file.name}" for file in (CLIENT / "src/larnn_client").iterdir()}
    assert expected - {"larnn_client/__pycache__"} <= inside
    assert "larnn_client/py.typed" in inside


def test_everything_public_has_a_docstring_and_is_listed_in_order() -> None:
    assert larnn_client.__all__ == sorted(larnn_client.__all__)
    for name in larnn_client.__all__:
        assert getattr(larnn_client, name).__doc__, name


def test_it_knows_each_code_and_close_code_of_the_service() -> None:
    assert errors.CODES.keys() == FAILURES.keys()
    closes = {failure.close: code for code, failure in FAILURES.items()}
    assert errors.CLOSE_CODES.keys() <= closes.keys()
    for close in errors.CLOSE_CODES:
        assert FAILURES[errors.CLOSE_CODES[close]].close == close
