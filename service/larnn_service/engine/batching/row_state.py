"""The recurrent state of one row, as it leaves the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from larnn_service.contract import Contract

RowState = Mapping[str, NDArray[Any]]
"""State tensors of one row by name, without the batch axis. Never changed in place."""


def initial(contract: Contract) -> RowState:
    """The state before the first step."""
    return {tensor.name: tensor.initial_array(1)[0] for tensor in contract.state}
