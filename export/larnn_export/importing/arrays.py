"""Numbers from files and from options, checked."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def read_array(file: Path) -> NDArray[Any]:
    """The numbers of an .npy file. Raises ValueError, naming it, where it has none."""
    try:
        with file.open("rb") as opened:
            array = np.lib.format.read_array(opened, allow_pickle=False)
    except (OSError, ValueError, MemoryError) as error:
        raise ValueError(f"{file} cannot be read as .npy: {error}") from error
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{file} must hold numbers, not {array.dtype}")
    return array


def read_sound(file: Path) -> tuple[NDArray[np.float32], int]:
    """The first channel of a 16-bit .wav file, [samples] from -1 to 1, and its samples a second.
    Raises ValueError, naming it, where it is none."""
    try:
        with wave.open(str(file)) as sound:
            told = sound.getparams()
            data = sound.readframes(told.nframes)
    except (OSError, EOFError, wave.Error) as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
    if told.sampwidth != 2:
        raise ValueError(f"{file} has {8 * told.sampwidth} bits: 16 are read")
    whole = len(data) // 2 // told.nchannels * told.nchannels  # it may be cut anywhere
    samples = np.frombuffer(data, "<i2", whole).reshape(-1, told.nchannels)
    return samples[:, 0].astype(np.float32) / np.float32(32768), told.framerate


def exactly(given: ArrayLike, dtype: str) -> NDArray[Any]:
    """The same numbers in a dtype of the contract or of ONNX: integers and booleans as they are,
    floats rounded. Raises ValueError where it does not have one of them."""
    array = np.asarray(given)
    with np.errstate(all="ignore"):
        try:
            cast = array.astype(dtype)
        except OverflowError:
            raise ValueError(f"{given!r} is no {dtype}") from None
    if cast.dtype.kind in "biu":
        kind, same = dtype, cast == array
    else:
        kind, same = f"finite {dtype}", np.isfinite(cast.astype(np.float64))
    if not np.all(same):
        raise ValueError(f"{array[~same].flat[0]} is no {kind}")
    return cast
