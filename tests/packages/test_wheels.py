"""What is in the wheels, and what they do in an environment outside the repository.

`wheels.install` makes that environment with the wheels alone and without an index. What they depend
on is lent to it from the environment of the tests, by a path: so that this takes seconds and no
network. `test_from_the_index.py` installs everything.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import httpx
import pytest

import larnn_service
from tests import live
from tests.packages.wheels import ENVIRONMENT, SOURCES, VERSION

NAMES = ("larnn", "larnn_client", "larnn_models")
PACKAGES = {"larnn_cli", "larnn_export", "larnn_service", "larnn_client", "larnn_models"}
LARGEST = {"larnn": 1_000_000, "larnn_client": 50_000, "larnn_models": 5_000_000}


def inside(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def metadata(wheel: Path) -> Message:
    [name] = [name for name in inside(wheel) if name.endswith(".dist-info/METADATA")]
    return message_from_bytes(zipfile.ZipFile(wheel).read(name))


def test_there_are_three_of_one_version_and_they_want_each_other(built: dict[str, Path]) -> None:
    assert tuple(sorted(built)) == NAMES
    for source in SOURCES:
        project = tomllib.loads((live.ROOT / source / "pyproject.toml").read_text())["project"]
        assert project["version"] == VERSION == larnn_service.__version__
    for package in (live.ROOT / "clients" / "ts").glob("*/package.json"):
        assert json.loads(package.read_text())["version"] == VERSION
    needs = {
        need.replace(" ", "") for need in metadata(built["larnn"]).get_all("Requires-Dist", [])
    }
    assert f"larnn-client=={VERSION}" in needs
    assert {f'larnn-models=={VERSION};extra=="serve{gpu}"' for gpu in ("", "-gpu")} <= needs


@pytest.mark.parametrize("name", NAMES)
def test_a_wheel_says_what_it_is_and_fits_a_registry(built: dict[str, Path], name: str) -> None:
    told = metadata(built[name])
    assert told["License-Expression"] == "Apache-2.0"
    assert "LICENSE" in told.get_all("License-File", [])
    assert told["Requires-Python"] == ">=3.11"
    assert told["Summary"] and told["Keywords"] and told.get_all("Project-URL")
    assert built[name].name.endswith("-py3-none-any.whl")
    assert built[name].stat().st_size < LARGEST[name]
    check = [sys.executable, "-m", "twine", "check", "--strict", str(built[name])]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_missing_and_nothing_is_in_them_that_is_not_theirs(
    built: dict[str, Path],
) -> None:
    files = set().union(*map(inside, built.values()))
    assert {name.partition("/")[0] for name in files if ".dist-info/" not in name} == PACKAGES
    for folder in ("service", "export", "cli", "client/src", "models"):
        top = live.ROOT / folder
        for path in top.rglob("*.json" if folder == "models" else "larnn_*/**/*"):
            name = str(path.relative_to(top))
            ours = path.is_file() and not {"__pycache__", "checkpoint"} & set(path.parts)
            if ours and not name.startswith("larnn_client.egg-info"):
                assert (f"larnn_models/{name}" if folder == "models" else name) in files
    assert not [name for name in files if "checkpoint/" in name]
    assert "larnn_service/web/uplot/LICENSE" in files


@pytest.fixture(scope="module")
def served(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`larnn serve` of the new environment, in an empty folder and without a setting."""
    command = [str(programs / "larnn"), "serve", "--port", "0"]
    with live.started(command, ENVIRONMENT, tmp_path_factory.mktemp("empty")) as service:
        yield service.url
        assert service.stop() == 0


def run(programs: Path, folder: Path, *arguments: str | Path) -> str:
    command = [str(programs / arguments[0]), *map(str, arguments[1:])]
    done = subprocess.run(command, env=ENVIRONMENT, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_runs_is_what_was_installed(programs: Path, tmp_path: Path) -> None:
    assert run(programs, tmp_path, "larnn", "--version") == f"larnn {VERSION}\n"
    imports = ", ".join(sorted(PACKAGES - {"larnn_models"}))
    program = f"import {imports}; print(*(m.__file__ for m in ({imports})), sep='\\n')"
    for file in run(programs, tmp_path, "python", "-c", program).splitlines():
        assert Path(file).is_relative_to(programs.parent)


def test_it_serves_its_models_and_its_page(served: str) -> None:
    told = httpx.get(f"{served}/models", timeout=60).json()
    assert told["default"] == "larnn-har"
    assert len(told["models"]) == len(list((live.ROOT / "models").glob("*/1/model.json")))
    assert all(model["data_terms"] for model in told["models"])
    files = ("uplot/uPlot.iife.min.js", "client/index.js", "client/sources/worklet.js")
    for path in ("/", *(f"/web/{file}" for file in (*files, "recordings/index.json"))):
        assert httpx.get(f"{served}{path}", timeout=60).status_code == 200


def test_it_classifies_and_streams(served: str, programs: Path, tmp_path: Path) -> None:
    window = (live.ROOT / "examples" / "window.json").read_bytes()
    answer = httpx.post(f"{served}/classify", content=window, timeout=60).json()
    assert answer["predictions"][0]["label"] == "WALKING"
    recording = live.ROOT / "examples" / "recording.npz"
    said = run(programs, tmp_path, "larnn", "stream", recording, "--full-speed", "--url", served)
    assert "WALKING" in said


def test_a_folder_of_models_here_goes_first(
    programs: Path, own_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("own")
    own_models.rename(folder / "models")
    command = [str(programs / "larnn"), "serve", "--port", "0"]
    with live.started(command, ENVIRONMENT, folder) as service:
        assert httpx.get(f"{service.url}/models", timeout=60).json()["default"] == "toy"
