"""Samples of a signal as the frames of a model: of a .wav file, or of an array."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from larnn_export.data import DataError
from larnn_export.data.sound import read_sound

if TYPE_CHECKING:
    from larnn_client import Frame


def wav_samples(file: Path, frame: Frame | None) -> NDArray[np.int16]:
    """[samples] of its first channel, for a model of such frames. Raises DataError."""
    if frame is None:
        raise DataError(f"{file}: sound is for a model that takes frames of samples")
    samples, rate = read_sound(file)
    if frame.sample_rate_hz not in (None, rate):
        raise DataError(
            f"{file} has {rate} samples a second; the model takes {frame.sample_rate_hz:g}: "
            "convert it"
        )
    return samples


def in_frames(file: Path, array: NDArray[Any], frame: Frame) -> NDArray[Any]:
    """[…, steps, samples of a frame]: a signal [samples] is cut into its whole frames, and int16
    samples are scaled as the model says. Raises DataError."""
    if array.dtype == np.int16:
        if frame.int16_scale is None:
            raise DataError(f"{file}: the model takes no int16 samples: give it floats")
        array = array * np.float32(frame.int16_scale)
    if array.ndim != 1:
        return array
    steps = len(array) // frame.samples
    if not steps:
        raise DataError(f"{file} has {len(array)} samples; a frame has {frame.samples}")
    return array[: steps * frame.samples].reshape(steps, frame.samples)
