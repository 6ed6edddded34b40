"""How a quantity was distributed in training: what a service compares what it sees with."""

from __future__ import annotations

import math
from typing import Self

from pydantic import Field, model_validator

from larnn_service.outputs import Strict

CONFIDENCE = "confidence"
"""The largest probability of an answer of classes."""


class Distribution(Strict):
    """Shares of the values of one quantity, in bins."""

    quantity: str
    """The name of a channel, or of a single value among the outputs, or `confidence`."""
    bounds: tuple[float, ...] = Field(min_length=1)
    """The upper bounds of the bins, ascending; above the last lies one more bin."""
    shares: tuple[float, ...]
    """Of each bin, one more than there are bounds."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if list(self.bounds) != sorted({*self.bounds}) or not all(map(math.isfinite, self.bounds)):
            raise ValueError(f"training: the bounds of {self.quantity} must be finite and ascend")
        shares = self.shares
        if len(shares) != len(self.bounds) + 1 or not math.isclose(sum(shares), 1, abs_tol=1e-3):
            raise ValueError(
                f"training: {self.quantity} needs {len(self.bounds) + 1} shares that add up to 1"
            )
        return self
