"""The loop and the reader of numbers by themselves, compiled anew: under sanitizers, and the loop's
instructions counted."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from larnn_service import native as native_library
from tests import live, tools

COUNTS = live.ROOT / "kernels" / "tests" / "instructions.json"
TOLERANCE = 0.10
"""Another compiler may count so much more or less."""


def build(folder: Path, *options: str) -> Path:
    """The exercise. Skips, or fails, where there is no compiler."""
    if shutil.which("cmake") is None or shutil.which("c++") is None:
        tools.missing("cmake and a C++ compiler build the exercise", "KERNELS")
    command = ["cmake", "-S", str(live.ROOT / "kernels"), "-B", str(folder), "-DLARNN_EXERCISE=ON"]
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", str(folder), "-j2"], check=True, stdout=subprocess.DEVNULL)
    return folder / "exercise"


def succeed(command: list[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def runs_here(exercise: Path, level: str) -> bool:
    done = subprocess.run([exercise, "levels"], capture_output=True, text=True, check=True)
    return level in done.stdout.split()


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("sanitized"), "-DLARNN_SANITIZE=address,undefined")


@pytest.fixture(scope="module")
def exercise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("exercise"))


@pytest.fixture(scope="module")
def for_aarch64(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("aarch64-linux-gnu-g++")
    if compiler is None or shutil.which("qemu-aarch64-static") is None:
        pytest.skip("a cross compiler and an emulator of aarch64: g++-aarch64-linux-gnu, qemu-user")
    return build(
        tmp_path_factory.mktemp("aarch64"),
        "-DCMAKE_SYSTEM_NAME=Linux",
        "-DCMAKE_SYSTEM_PROCESSOR=aarch64",
        f"-DCMAKE_CXX_COMPILER={compiler}",
    )


each_exercise = pytest.mark.parametrize("what", ["laws", "answers", "gradients"])
"""Any cut and company give the same bits; the answers are those of double precision; training's
derivatives are what differences give."""


@each_exercise
@pytest.mark.parametrize("level", native_library.LEVELS)
def test_each_level_holds_under_sanitizers(sanitized: Path, what: str, level: str) -> None:
    if not runs_here(sanitized, level):
        pytest.skip(f"this processor has no {level}")
    succeed([sanitized, what, level])


@each_exercise
@pytest.mark.parametrize("level", native_library.LEVELS)
def test_each_level_holds_as_it_is_shipped(exercise: Path, what: str, level: str) -> None:
    if not runs_here(exercise, level):
        pytest.skip(f"this processor has no {level}")
    succeed([exercise, what, level])


@each_exercise
def test_it_holds_on_aarch64(for_aarch64: Path, what: str) -> None:
    succeed(["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu", for_aarch64, what, "baseline"])


def test_the_reader_of_numbers_stays_in_its_memory(sanitized: Path) -> None:
    succeed([sanitized, "texts"])


def test_a_level_that_is_not_here_is_refused(exercise: Path) -> None:
    done = subprocess.run([exercise, "laws", "mmx"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "LARNN_KERNELS_LEVEL=mmx: this processor runs" in done.stderr


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the counts are of x86-64")
@pytest.mark.parametrize("case", json.loads(COUNTS.read_text())["counts"])
def test_a_step_takes_as_many_instructions_as_recorded(exercise: Path, case: str) -> None:
    """Counted by valgrind, so that no noise of the machine matters. Fewer: record them."""
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind counts the instructions")
    level, rows = case.split()
    if not runs_here(exercise, level):
        pytest.skip(f"this processor has no {level}")
    found = (counted(exercise, level, rows, 24) - counted(exercise, level, rows, 8)) / 16
    assert found == pytest.approx(json.loads(COUNTS.read_text())["counts"][case], rel=TOLERANCE)


def counted(exercise: Path, level: str, rows: str, steps: int) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(exercise)]
    done = subprocess.run(
        [*command, "count", level, rows, str(steps)], capture_output=True, text=True, check=True
    )
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    assert found is not None, done.stderr
    return int(found[1].replace(",", ""))
