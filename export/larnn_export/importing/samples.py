"""A person's own input for the comparison: an array or a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larnn_export.importing.arrays import read_array, read_sound
from larnn_export.importing.problems import ImportFailed
from larnn_export.trial_inputs import samples_for
from larnn_service.contract import Contract


def read_samples(file: Path) -> NDArray[Any]:
    """An .npy array, or the samples of a 16-bit .wav. Raises ImportFailed."""
    try:
        return read_sound(file)[0] if file.suffix.lower() == ".wav" else read_array(file)
    except ValueError as error:
        raise ImportFailed([f"{error}"]) from error


def as_steps(samples: NDArray[Any], contract: Contract) -> NDArray[np.float32]:
    """[steps, channels]: a signal, which has one axis, is cut into its whole steps; all else has
    them already, but for axes of one element behind the first. Raises ImportFailed."""
    samples, width = np.atleast_1d(samples), contract.input.width
    steps = samples.reshape(len(samples), *(size for size in samples.shape[1:] if size != 1))
    if steps.ndim == 1:
        steps = steps[: len(steps) // width * width].reshape(-1, width)
    try:
        return samples_for(contract, steps).steps
    except ValueError as error:
        raise ImportFailed([f"{error}"]) from error
