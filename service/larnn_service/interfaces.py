"""What the engine asks of whatever runs a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from larnn_service.contract import Manifest
from larnn_service.outputs import Floats as Floats

Steps = NDArray[Any]
"""Measured values float32, or tokens int64."""
Indices = NDArray[np.int64]
State = dict[str, NDArray[Any]]
"""State and context tensors by name, batch axis first."""
RowState = Mapping[str, NDArray[Any]]
"""State and context tensors of one row by name, without the batch axis. Never changed in place."""
Run = Callable[[Steps, NDArray[np.int64], State], tuple[Floats, State]]
"""x, lengths, state [batch, …] → outputs, next state."""
Operator = Literal["native", "graph"]
"""What computes a recurrent layer: an operator of the package larnn-kernels, or plain nodes."""


class Backend(Protocol):
    """Runs one graph. Called from several threads at once."""

    provider: str
    operator: Operator

    def run(self, x: Steps, lengths: NDArray[np.int64], state: State) -> tuple[Floats, State]:
        """x [batch, steps, channels], lengths [batch], state [batch, …] → outputs, next state."""
        ...

    def advance(
        self,
        x: Steps,
        lengths: NDArray[np.int64],
        tensors: State,
        rows: Indices,
        next_rows: Indices,
    ) -> Floats:
        """x [batch, steps, channels], lengths [batch] → outputs [batch, steps, columns].

        Row i starts from row `rows[i]` of the state tensors, its next state goes to row
        `next_rows[i]`. No row is both read and written. Outputs beyond lengths[i] mean nothing; the
        state stops there.
        """
        ...


class Tokenizer(Protocol):
    """Makes tokens of text."""

    def encode(self, text: str) -> NDArray[np.int64]:
        """[tokens, 1]; none where there is nothing to read."""
        ...


class Attention(Protocol):
    """Says where a network looks. Called from several threads at once."""

    def run(self, steps: Floats, state: RowState) -> Floats:
        """Weights [layers, heads, k] of the last of the steps [steps, channels], oldest slot first.

        `state` has no batch axis and is that before the first step.
        """
        ...


def advance_by_copy(
    run: Run,
    x: Floats,
    lengths: NDArray[np.int64],
    tensors: State,
    rows: Indices,
    next_rows: Indices,
) -> Floats:
    """As `Backend.advance`, by a graph that knows no row numbers: rows side by side, and back."""
    gathered = {name: tensor.take(rows, axis=0) for name, tensor in tensors.items()}
    outputs, after = run(x, lengths, gathered)
    for name, tensor in tensors.items():
        tensor[next_rows] = after[name]
    return outputs


@dataclass(frozen=True, eq=False)
class Model:
    """A verified model version and what runs it. Loaded again it is another one."""

    manifest: Manifest
    backend: Backend
    attention: Attention | None = None
    tokenizer: Tokenizer | None = None
    """Where its steps are tokens."""
    arrays: RowState = field(default_factory=dict)
    """Of `initial`, those that files have."""

    @cached_property
    def initial(self) -> RowState:
        """State before the first step, and context where none is given."""
        return self.manifest.contract.initial_state(self.arrays)
