"""A person's own input for the comparison: an array or a recording."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larnn_export.importing.problems import ImportFailed


def read_samples(file: Path, channels: int) -> NDArray[np.float32]:
    """Steps [steps, channels] of an .npy array or of a 16-bit .wav. Raises ImportFailed."""
    try:
        is_sound = file.suffix.lower() == ".wav"
        array = _sound(file) if is_sound else np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, wave.Error) as error:
        raise ImportFailed([f"{file} cannot be read: {error}"]) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or array.ndim < 1:
        raise ImportFailed([f"{file} must be an array of numbers: .npy, or .wav"])
    flat = array.reshape(-1).astype(np.float32)
    steps = len(flat) // channels
    if not steps or not np.isfinite(flat).all():
        what = "a number that is not finite" if steps else f"{len(flat)} numbers"
        raise ImportFailed([f"{file} has {what}: a step takes {channels} finite numbers"])
    return flat[: steps * channels].reshape(steps, channels)


def _sound(file: Path) -> NDArray[Any]:
    """Its first channel, from -1 to 1."""
    with wave.open(str(file)) as sound:
        if sound.getsampwidth() != 2:
            raise ImportFailed([f"{file} has {8 * sound.getsampwidth()} bits: 16 are read"])
        data = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
        return data.reshape(-1, sound.getnchannels())[:, 0] / np.float32(32768)
