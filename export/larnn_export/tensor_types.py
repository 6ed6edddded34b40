"""Arrays of a module's author in the type of a contract's tensor."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from larnn_service.tensors import ContextTensor, StateTensor


def as_typed(tensor: StateTensor | ContextTensor, array: NDArray[Any], name: str) -> NDArray[Any]:
    """The array in the tensor's dtype, a bfloat16 as its bits. `name`: how its author said it.

    Raises ValueError where a number is not finite there, or no whole one where those are wanted.
    """
    typed: NDArray[Any]
    if tensor.dtype == "bfloat16":
        exact = True
        typed = torch.tensor(array).to(torch.bfloat16).view(torch.uint16).numpy()
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            typed = array.astype(tensor.numpy_dtype)
        exact = typed.dtype.kind == "f" or np.array_equal(typed, array)
    if not exact or not tensor.is_good(typed):
        raise ValueError(f"{name} has a number that is no finite {tensor.dtype}")
    return typed
