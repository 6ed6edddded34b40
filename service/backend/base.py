"""What the engine asks of whatever runs a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from service.contract import Manifest

Floats = NDArray[np.float32]
Steps = NDArray[Any]
"""Measured values float32, or tokens int64."""
State = dict[str, NDArray[Any]]
"""State tensors by name, batch axis first."""


class Backend(Protocol):
    """Runs one graph. Called from several threads at once."""

    provider: str

    def run(self, x: Steps, lengths: NDArray[np.int64], state: State) -> tuple[Floats, State]:
        """x [batch, steps, channels], lengths [batch] → logits [batch, steps, classes], next state.

        Logits of row i beyond lengths[i] mean nothing; its state stops there.
        """
        ...


class Tokenizer(Protocol):
    """Makes tokens of text."""

    def encode(self, text: str) -> NDArray[np.int64]:
        """[tokens, 1]; none where there is nothing to read."""
        ...


class Attention(Protocol):
    """Says where a network looks. Called from several threads at once."""

    def run(self, steps: Floats, state: Mapping[str, NDArray[Any]]) -> Floats:
        """Weights [layers, heads, k] of the last of the steps [steps, channels], oldest slot first.

        `state` has no batch axis and is that before the first step.
        """
        ...


@dataclass(frozen=True, eq=False)
class Model:
    """A verified model version and what runs it. Loaded again it is another one."""

    manifest: Manifest
    backend: Backend
    attention: Attention | None = None
    tokenizer: Tokenizer | None = None
    """Where its steps are tokens."""
