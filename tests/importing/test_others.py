"""The table of docs/import.md: networks of others, each imported from its package or refused."""

from __future__ import annotations

import re
import shlex
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests import live
from tests.cli.command import start
from tests.docs import page
from tests.importing.proof import blocks, spectra
from tests.importing.released import RATE, package, sound

pytestmark = pytest.mark.deploy

PAGE = page.read("import.md")
ROWS = re.findall(
    r"^\| (.+?) \| `(\S+)==(\S+)` \| `(\S+)` \| (?:`(.+?)`)? ?\| (.+?) \| ?(.*?) ?\|$", PAGE, re.M
)
SECONDS = 5


def _speech(folder: Path) -> Path:
    with wave.open(str(folder / "speech.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((sound(SECONDS) * 32767).astype("<i2").tobytes())
    return folder / "speech.wav"


def _saved(folder: Path, steps: NDArray[Any]) -> Path:
    np.save(folder / "steps.npy", steps)
    return folder / "steps.npy"


def _walking(folder: Path) -> Path:
    """Acceleration in m/s², turning, and seconds to the next step."""
    signals = np.load(live.ROOT / "examples" / "recording.npz")["signals"]
    seconds = np.full((len(signals), 1), 1 / 50)
    return _saved(folder, np.hstack([signals[:, 6:9] * 9.80665, signals[:, 3:6], seconds]))


REAL: dict[str, Callable[[Path], Path]] = {
    "speech": _speech,
    "spectra of speech": lambda folder: _saved(folder, spectra(sound(SECONDS))),
    "blocks of speech": lambda folder: _saved(folder, blocks(sound(SECONDS))),
    "walking": _walking,
}
"""What files are compared on, besides noise."""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packages")


def test_there_are_twelve_at_least_and_ten_are_imported() -> None:
    assert len(ROWS) >= 12
    assert sum(row[-2].startswith(("together", "alone")) for row in ROWS) >= 10
    assert {row[-1] for row in ROWS} == {*REAL, "noise", ""}


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_network_is_imported_as_the_table_says(
    row: tuple[str, ...], packages: Path, tmp_path: Path
) -> None:
    _, name, version, path, options, expected, on = row
    file = package(name, version, packages) / path
    arguments = ["--name", "it", "--models", str(tmp_path), *shlex.split(options)]
    real = REAL[on](tmp_path) if on in REAL else None
    if real is not None:
        arguments += ["--samples", str(real)]
    with start("import", file, *arguments) as process:
        out, err = process.communicate(timeout=600)
    if not expected.startswith(("together", "alone")):
        assert process.returncode == 2 and expected in err, err
        return
    rows, steps = expected.split(", ")
    assert process.returncode == 0, err
    source = "61 steps of normal noise" if real is None else rf"\d+ steps of {real.name}"
    assert re.search(f"rows {rows}, steps {steps}: over {source}", out), out
    [differs] = re.findall(r"file's by (\S+),", out)
    assert float(differs) <= (0 if rows == "alone" else 1e-6)
