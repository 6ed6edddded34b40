"""docs/import.md: from packages of the index to streams of sound, by its blocks alone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import live, tools
from tests.cli.command import ENVIRONMENT, Larnn
from tests.docs import page, shell
from tests.importing.released import package

PAGE = page.read("import.md")
BLOCKS = page.blocks(PAGE)


@pytest.mark.deploy
def test_voice_is_found_and_noise_taken_away(larnn: Larnn, tmp_path: Path) -> None:
    package("silero-vad", "6.2.3", tmp_path)  # or the test is skipped
    if shutil.which("espeak-ng") is None:
        tools.missing("espeak-ng is not installed", "SPEECH")
    blocks = [block.text for block in BLOCKS if block.language == "sh"]
    told = [block.text for block in BLOCKS if block.language == "text"]
    hello, voice, denoise = [block.text for block in BLOCKS if block.language == "python"]
    bin = tmp_path / "bin"
    [serve] = [block for block in blocks if block.startswith("larnn serve")]
    outputs = {
        block: shell.run(block.replace("|| true", "2>&1 || true"), bin)
        for block in blocks
        if block != serve
    }
    _, asked, imported, *_ = outputs.values()
    assert [asked.strip(), imported.strip()] == told
    _python(hello, tmp_path)
    command = serve.replace("larnn", "cli").replace(
        "--models models", f"--models {tmp_path}/models"
    )
    with live.process(command) as service:
        first = _python(voice.replace("http://localhost:8000", service.url), tmp_path)
        second = _python(denoise.replace("http://localhost:8000", service.url), tmp_path)
        ask = ("stream", tmp_path / "hello.wav", "--model", "voice", "--url", service.url)
        from_shell = larnn(*ask, "--chunk", "1", "--full-speed", "--json").out.splitlines()
    picture = tmp_path / "import.png"
    drawing = [sys.executable, "-m", "benchmarks", "sound", "models", "hello.wav"]
    subprocess.run(
        [*drawing, "--picture", picture], cwd=tmp_path, env=ENVIRONMENT, check=True, timeout=300
    )
    assert picture.read_bytes().startswith(b"\x89PNG")
    lines = [line.split() for line in first.splitlines()]
    times, speech = np.array([(float(line[0]), float(line[-1])) for line in lines]).T
    heard = (times > 1.2) & (times < times[-1] - 1.2)
    assert np.median(speech[heard]) > 0.9 and speech[times < 0.9].max() < 0.2
    assert speech[-10:].max() < 0.2
    told = [json.loads(line)["probabilities"]["speech"] for line in from_shell]
    assert len(told) == round(times[-1] / 0.032) and f"{told[-1]:.3f}" == lines[-1][-1]
    figures = re.findall(r"^(\w+): (\S+) before, (\S+) after$", second, re.M)
    levels = {what: (float(before), float(after)) for what, before, after in figures}
    assert levels["noise"][1] < levels["noise"][0] / 3
    assert 0.7 < levels["speech"][1] / levels["speech"][0] < 1.1


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
