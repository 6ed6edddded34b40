"""Sound in 16-bit .wav files."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from larnn_export.data.errors import DataError

SCALE = 1 / 32768
"""Of 16-bit samples, to be from -1 to 1."""


def read_sound(file: Path) -> tuple[NDArray[np.int16], int]:
    """The first channel, [samples], and its samples a second. Raises DataError, naming it, where
    it is none."""
    try:
        with wave.open(str(file)) as sound:
            told = sound.getparams()
            data = sound.readframes(told.nframes)
    except (OSError, EOFError, wave.Error) as error:
        raise DataError(f"{file} cannot be read: {error}") from error
    if told.sampwidth != 2:
        raise DataError(f"{file} has {8 * told.sampwidth} bits: 16 are read")
    whole = len(data) // 2 // told.nchannels * told.nchannels  # it may be cut anywhere
    samples = np.frombuffer(data, "<i2", whole).reshape(-1, told.nchannels)
    return samples[:, 0].astype(np.int16), told.framerate
