"""What a module is told once while it is tried: values of its author's, or noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from larnn_export.tensor_types import as_typed
from larnn_export.trial_inputs import TrialInputs
from larnn_service.contract import Contract
from larnn_service.tensors import ContextTensor


@dataclass(frozen=True)
class TrialContext:
    """The context tensors of a contract, and values for those of them that have some."""

    tensors: tuple[ContextTensor, ...]
    values: Mapping[str, NDArray[Any]]
    """[n, *shape] each: a row gets any of them, and of arrays that are equally long the same."""

    def beside(self, inputs: TrialInputs) -> str:
        """What was tried, in a few words: steps, and context if there is any."""
        told = [
            f"{tensor.name} of {len(self.values[tensor.name]):,} values"
            if tensor.name in self.values
            else f"{tensor.name} of noise"
            for tensor in self.tensors
        ]
        return f"{inputs.told}, with {', '.join(told)}" if told else inputs.told

    def draw(self, random: np.random.Generator, rows: int) -> dict[str, NDArray[Any]]:
        """[rows, *shape] of each tensor by its name, otherwise for each row."""
        places = random.integers(0, 2**31, rows)
        return {
            tensor.name: self.values[tensor.name][places % len(self.values[tensor.name])]
            if tensor.name in self.values
            else _noise(tensor, random, rows)
            for tensor in self.tensors
        }


def _noise(tensor: ContextTensor, random: np.random.Generator, rows: int) -> NDArray[Any]:
    """Normal numbers around the default; of integers and booleans 0, 1 and the default."""
    default = tensor.default if isinstance(tensor.default, int | float) else 0
    shape = (rows, *tensor.shape)
    if tensor.numpy_dtype.kind == "f":
        drawn: NDArray[Any] = random.normal(default, 1, shape)
    else:
        drawn = random.choice(np.array([0, 1, int(default)]), shape)
    return np.asarray(drawn, tensor.numpy_dtype)


def context_for(contract: Contract, values: Mapping[str, ArrayLike] | None) -> TrialContext:
    """From arrays [n, *shape] by the tensors' names; the rest is noise. Raises ValueError, naming
    the array."""
    tensors = {tensor.name: tensor for tensor in contract.context}
    given = {}
    for name, value in (values or {}).items():
        if name not in tensors:
            known = f"it has {', '.join(tensors)}" if tensors else "it has none"
            raise ValueError(f"context={{{name!r}: …}} is no context of the contract: {known}")
        given[name] = _checked(tensors[name], np.asarray(value))
    return TrialContext(contract.context, given)


def _checked(tensor: ContextTensor, array: NDArray[Any]) -> NDArray[Any]:
    """The array in the tensor's type. Raises ValueError."""
    if array.ndim != 1 + len(tensor.shape) or array.shape[1:] != tensor.shape or not len(array):
        wanted = ", ".join(map(str, ("n", *tensor.shape)))
        raise ValueError(
            f"context={{{tensor.name!r}: …}} is an array {list(array.shape)}, not [{wanted}]: one "
            "value behind the other"
        )
    return as_typed(tensor, array, f"context={{{tensor.name!r}: …}}")
