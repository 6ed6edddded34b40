"""docs/import.md: from packages of the index to streams of sound, by its blocks alone."""

from __future__ import annotations

import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from tests import live
from tests.cli.command import ENVIRONMENT, Larnn
from tests.docs import page, shell
from tests.importing.released import RATE, package, sound

PAGE = page.read("import.md")
BLOCKS = page.blocks(PAGE)


@pytest.mark.deploy
def test_voice_is_found_and_noise_taken_away(tmp_path: Path) -> None:
    package("silero-vad", "6.2.3", tmp_path)  # or the test is skipped
    blocks = [block.text for block in BLOCKS if block.language == "sh"]
    told = [block.text for block in BLOCKS if block.language == "text"]
    voice, denoise = [block.text for block in BLOCKS if block.language == "python"]
    bin = tmp_path / "bin"
    [serve] = [block for block in blocks if block.startswith("larnn serve")]
    outputs = {
        block: shell.run(block.replace("|| true", "2>&1 || true"), bin)
        for block in blocks
        if block != serve
    }
    _, asked, imported, *_ = outputs.values()
    assert [asked.strip(), imported.strip()] == told
    with wave.open(str(tmp_path / "hello.wav"), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((sound(6) * 32767).astype("<i2").tobytes())
    command = serve.replace("larnn", "cli").replace(
        "--models models", f"--models {tmp_path}/models"
    )
    with live.process(command) as service:
        first = _python(voice.replace("http://localhost:8000", service.url), tmp_path)
        second = _python(denoise.replace("http://localhost:8000", service.url), tmp_path)
    picture = tmp_path / "import.png"
    drawing = [sys.executable, "-m", "benchmarks", "sound", "models", "hello.wav"]
    subprocess.run(
        [*drawing, "--picture", picture], cwd=tmp_path, env=ENVIRONMENT, check=True, timeout=300
    )
    assert picture.read_bytes().startswith(b"\x89PNG")
    probabilities = np.array([float(line.split()[-1]) for line in first.splitlines()])
    assert len(probabilities) == 37 and probabilities.max() <= 1
    noisy, clean = map(float, second.split())
    assert 0 < clean < noisy


def test_every_option_that_it_names_exists(larnn: Larnn) -> None:
    help = larnn("import", "--help").out
    for option in ("--set", "--frame", "--overlap", "--shape", "--propose", "--tolerance"):
        assert option in PAGE and option in help


def _python(program: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
