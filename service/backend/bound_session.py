"""One of onnxruntime's sessions and the memory that is bound to it. One run at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.backend.base import Floats, Indices, State, Steps
from service.contract import INPUT, LENGTHS, LOGITS, NEXT_ROWS, ROWS, Contract


class BoundSession:
    """Runs on state that is handed over, or on state that stays where it is."""

    def __init__(self, session: Any, contract: Contract) -> None:
        self._session, self._contract = session, contract
        self._outputs = [LOGITS, *(tensor.next_name for tensor in contract.state)]
        self._binding = session.io_binding()
        self._bound: State | None = None

    def run(self, x: Steps, lengths: NDArray[np.int64], state: State) -> tuple[Floats, State]:
        """x, lengths, state [batch, …] → logits, next state."""
        outputs = self._session.run(self._outputs, {INPUT: x, LENGTHS: lengths, **state})
        names = (tensor.name for tensor in self._contract.state)
        return outputs[0], dict(zip(names, outputs[1:], strict=True))

    def run_in_place(
        self, x: Steps, lengths: NDArray[np.int64], tensors: State, rows: Indices, to: Indices
    ) -> Floats:
        """As `Backend.advance`, where the graph takes row numbers: no state is copied."""
        if tensors is not self._bound:
            for tensor in self._contract.state:
                array = tensors[tensor.name]
                self._bind_input(tensor.name, array)
                self._bind_output(tensor.next_name, array)
            self._bound = tensors
        logits = np.empty((*x.shape[:2], len(self._contract.labels)), dtype=np.float32)
        for name, array in ((INPUT, x), (LENGTHS, lengths), (ROWS, rows), (NEXT_ROWS, to)):
            self._bind_input(name, array)
        self._bind_output(LOGITS, logits)
        self._session.run_with_iobinding(self._binding)
        return logits

    def _bind_input(self, name: str, array: NDArray[Any]) -> None:
        self._binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)

    def _bind_output(self, name: str, array: NDArray[Any]) -> None:
        self._binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
