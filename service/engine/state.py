"""The recurrent state of single rows, and its way into and out of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.backend.base import State
from service.contract import Contract

RowState = dict[str, NDArray[Any]]
"""State tensors of one row by name, without the batch axis. Never changed in place."""


def initial(contract: Contract) -> RowState:
    """The state before the first step."""
    return {tensor.name: tensor.initial_array(1)[0] for tensor in contract.state}


def stack(rows: Sequence[RowState]) -> State:
    """Rows side by side, batch axis first."""
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def unstack(state: State, row: int) -> RowState:
    """One row of a batch: a copy, since a view would keep the whole batch in memory."""
    return {name: np.array(tensor[row]) for name, tensor in state.items()}
