"""A person's own input for the comparison: an array or a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larnn_export.data.sound import SCALE, read_sound
from larnn_export.importing.arrays import read_array
from larnn_export.importing.fitted import Fitted
from larnn_export.importing.options import Options
from larnn_export.importing.problems import Problems
from larnn_export.trial_inputs import samples_for


def read_steps(
    file: Path, fitted: Fitted, options: Options, problems: Problems
) -> NDArray[Any] | None:
    """[steps, numbers of a step] of an .npy array, or of a 16-bit .wav.

    A signal, which has one axis, is cut into its whole steps; all else has them already, but for
    axes of one element behind the first. Where the file has none, or another rate, that is added
    to the problems; None, too, where it is not known yet what a step is.
    """
    try:
        samples, rate = _read(file, options.input.int16_scale or SCALE)
    except ValueError as error:
        problems.found.append(f"{error}")
        return None
    wanted = options.sample_rate_hz if options.input.frame else None
    if None not in (rate, wanted) and rate != wanted:
        problems.add(
            f"{file} has {rate:g} samples a second, --sample-rate says {wanted:g}",
            "convert it, or say its own rate",
        )
    if fitted.step is None:
        return None
    samples, width = np.atleast_1d(samples), fitted.step.width
    steps = samples.reshape(len(samples), *(size for size in samples.shape[1:] if size != 1))
    if steps.ndim == 1:
        steps = steps[: len(steps) // width * width].reshape(-1, width)
    try:
        return samples_for(fitted.step, fitted.vocabulary, steps).steps
    except ValueError as error:
        problems.found.append(f"{error}")
        return None


def _read(file: Path, scale: float) -> tuple[NDArray[Any], int | None]:
    """Numbers, and how many of them are a second where the file says it."""
    if file.suffix.lower() != ".wav":
        return read_array(file), None
    samples, rate = read_sound(file)
    return samples * np.float32(scale), rate
