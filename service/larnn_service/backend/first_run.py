"""A version's first run, so that no client waits for it, or for one that cannot run."""

from __future__ import annotations

import numpy as np

from larnn_service.contract import Contract, ContractError
from larnn_service.interfaces import Attention, Backend, RowState

ROWS, STEPS = 2, 2


def run_first(
    backend: Backend, attention: Attention | None, contract: Contract, initial: RowState
) -> None:
    """Run zeros from the initial state. Raises ContractError where that fails."""
    x = np.zeros((ROWS, STEPS, contract.input.width), dtype=contract.input_dtype)
    tensors = {name: np.repeat(array[None], 2 * ROWS, axis=0) for name, array in initial.items()}
    rows = np.arange(ROWS)
    try:
        outputs = backend.advance(x, np.full(ROWS, STEPS), tensors, rows, rows + ROWS)
        if attention is not None:
            attention.run(x[0], initial)
    except Exception as error:  # those of a runtime share no base class
        raise ContractError("graph", f"its first run failed: {error}") from error
    if not contract.are_good(outputs):
        raise ContractError("graph", "its first run failed: its answer to zeros is not finite")
