"""Numbers from files and from options, checked."""

from __future__ import annotations

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
