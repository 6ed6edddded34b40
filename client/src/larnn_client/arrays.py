"""What callers give as arrays, made float32 and checked as far as this side can."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from larnn_client.errors import BadInput
from larnn_client.inputs import Input
from larnn_client.messages import Floats, Steps


def chunk_array(steps: ArrayLike, step: Input, *, int16: bool = False) -> Steps:
    """float32 [steps, width], or `int16` as they are; the caller's own no more. int16 samples of a
    model that scales them are scaled here where they do not go as such. Raises BadInput."""
    scale = None if step.frame is None else step.frame.int16_scale
    if int16 and (scale is None or not is_int16(steps)):
        raise BadInput(
            "the model takes no int16" if scale is None else "this stream takes int16 arrays alone",
            "bad_value",
        )
    array = np.array(steps) if int16 else _floats(steps, "a chunk")
    if array.ndim != 2 or array.shape[1] != step.width:
        raise BadInput(f"a chunk is [steps, {step.width}], not {list(array.shape)}", "bad_shape")
    if not len(array):
        raise BadInput("a chunk holds at least one step", "empty_chunk")
    if not int16 and scale is not None and is_int16(steps):
        array *= np.float32(scale)
    return _finite(array, "steps")


def is_int16(values: ArrayLike) -> bool:
    """Whether it is an array of int16, which may be the samples of a sound as they were taken."""
    return isinstance(values, np.ndarray) and values.dtype.kind == "i" and values.itemsize == 2


def sequence_arrays(sequences: ArrayLike | Sequence[ArrayLike]) -> list[Steps]:
    """[steps, width], one a sequence: float32, or int16 where all of them are. Raises BadInput."""
    each: list[ArrayLike] = list(sequences)  # type: ignore[arg-type]
    if each and all(map(is_int16, each)):
        arrays: list[Steps] = [np.asarray(sequence) for sequence in each]
    else:
        arrays = [_floats(sequence, "a sequence") for sequence in each]
    for index, array in enumerate(arrays):
        if array.ndim != 2:
            raise BadInput(
                f"sequences[{index}] is {list(array.shape)}, not [steps, channels]; "
                "put a single sequence into a list",
                "bad_shape",
            )
        _finite(array, f"sequences[{index}]")
    return arrays


def _finite(array: Steps, place: str) -> Steps:
    if not np.isfinite(array).all():
        step, channel = np.argwhere(~np.isfinite(array))[0]
        raise BadInput(f"{place}[{step}][{channel}] is no finite float32", "bad_value")
    return array


def _floats(values: ArrayLike, what: str) -> Floats:
    try:
        with np.errstate(over="ignore"):
            return np.array(values, dtype=np.float32, order="C")
    except (TypeError, ValueError) as error:
        raise BadInput(f"{what} is no array of numbers: {error}", "bad_shape") from None
