"""What a module's state begins with, where its author gives arrays."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from larnn_export.tensor_types import as_typed
from larnn_service.contract import Contract, StateTensor
from larnn_service.tensors import File


def with_starts(
    contract: Contract, given: Mapping[str, ArrayLike]
) -> tuple[Contract, dict[str, NDArray[Any]], dict[str, bytes]]:
    """The contract, whose tensors of these names begin with a file each; the arrays as they are
    held, by the tensors' names; and the files, by their own. Raises ValueError, naming the array,
    where it is none of a tensor."""
    if unknown := {*given} - {tensor.name for tensor in contract.state}:
        known = ", ".join(tensor.name for tensor in contract.state) or "none"
        raise ValueError(f"initial={{{min(unknown)!r}: …}} is no state: the contract has {known}")
    arrays, files, state = {}, {}, []
    for tensor in contract.state:
        if tensor.name in given:
            array = arrays[tensor.name] = _held(tensor, np.asarray(given[tensor.name]))
            written = io.BytesIO()
            np.save(written, array)
            data = files[f"{tensor.name}.npy"] = written.getvalue()
            file = File(file=f"{tensor.name}.npy", sha256=hashlib.sha256(data).hexdigest())
            tensor = tensor.model_copy(update={"initial": file})
        state.append(tensor)
    return contract.model_copy(update={"state": tuple(state)}), arrays, files


def _held(tensor: StateTensor, array: NDArray[Any]) -> NDArray[Any]:
    """In the tensor's dtype, a bfloat16 as its bits. Raises ValueError."""
    name = f"initial={{{tensor.name!r}: …}}"
    if array.shape != tensor.shape or array.dtype.kind not in "fiub":
        raise ValueError(f"{name} is {array.dtype} {[*array.shape]}, not {[*tensor.shape]}")
    return as_typed(tensor, array, name)
