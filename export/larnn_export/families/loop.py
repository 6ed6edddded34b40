"""The loop over time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Tensors = tuple[Tensor, ...]
Step = Callable[[Tensors, Tensors], tuple[Tensors, Tensors]]


def over_time(step: Step, carry: Tensors, inputs: Tensors) -> Tensors:
    """Run `step(carry, inputs at t) -> (carry, outputs at t)` over axis 1 of the inputs.

    Returns the outputs, each [batch, steps, ...].
    """
    collected = []
    for at_t in zip(*(tensor.unbind(1) for tensor in inputs), strict=True):
        carry, outputs = step(carry, at_t)
        collected.append(outputs)
    return tuple(torch.stack(column, dim=1) for column in zip(*collected, strict=True))
