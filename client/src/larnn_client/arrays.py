"""What callers give as arrays, made float32 and checked as far as this side can."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from larnn_client.errors import BadInput
from larnn_client.messages import Floats


def chunk_array(steps: ArrayLike, channels: int) -> Floats:
    """float32 [steps, channels], the caller's own no more. Raises BadInput."""
    array = _floats(steps, "a chunk")
    if array.ndim != 2 or array.shape[1] != channels:
        raise BadInput(f"a chunk is [steps, {channels}], not {list(array.shape)}", "bad_shape")
    if not len(array):
        raise BadInput("a chunk holds at least one step", "empty_chunk")
    return _finite(array, "steps")


def sequence_arrays(sequences: ArrayLike | Sequence[ArrayLike]) -> list[Floats]:
    """float32 [steps, channels], one a sequence. Raises BadInput."""
    arrays = [_floats(sequence, "a sequence") for sequence in sequences]  # type: ignore[union-attr]
    for index, array in enumerate(arrays):
        if array.ndim != 2:
            raise BadInput(
                f"sequences[{index}] is {list(array.shape)}, not [steps, channels]; "
                "put a single sequence into a list",
                "bad_shape",
            )
        _finite(array, f"sequences[{index}]")
    return arrays


def _finite(array: Floats, place: str) -> Floats:
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
