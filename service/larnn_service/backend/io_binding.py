"""One of onnxruntime's sessions and the memory that is bound to it. One run at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from larnn_service.contract import INPUT, LENGTHS, NEXT_ROWS, ROWS, Contract
from larnn_service.interfaces import Floats, Indices, State, Steps
from larnn_service.outputs import to_columns

_BFLOAT16 = 16
"""What ONNX calls it, as numpy has no name for it."""
Bind = Callable[[str, str, int, Any, Any, int], None]


class BoundSession:
    """Runs on state that is handed over, or on state that stays where it is.

    To bind an array takes as long as a step of a small network. What runs take and give is copied
    into memory of the session's own, which stays bound from run to run while its shape stays.
    """

    def __init__(self, session: Any, contract: Contract, run: Callable[..., Any]) -> None:
        """`run` calls the session's method that it gets, with the arguments behind it."""
        self._run = run
        self._session, self._contract = session, contract
        self._names = [output.name for output in contract.outputs]
        self._names += [tensor.next_name for tensor in contract.state]
        self._as_bits = {
            name
            for tensor in contract.state
            if tensor.dtype == "bfloat16"
            for name in (tensor.name, tensor.next_name)
        }
        self._binding = session.io_binding()
        self._bound: State | None = None
        self._own: dict[str, NDArray[Any]] = {}
        """By name, as large as was needed."""
        self._shape: tuple[int, ...] = ()
        """Of the bound x."""

    def run(self, x: Steps, lengths: NDArray[np.int64], state: State) -> tuple[Floats, State]:
        """x, lengths, state [batch, …] → columns of the outputs, next state."""
        feeds = {INPUT: x, LENGTHS: lengths, **state}
        if self._as_bits:
            given = self._run_on_bits(feeds)
        else:
            given = self._run(self._session.run, self._names, feeds)
        outputs = self._contract.outputs
        names = (tensor.name for tensor in self._contract.state)
        after = dict(zip(names, given[len(outputs) :], strict=True))
        for tensor in self._contract.context:
            after[tensor.name] = state[tensor.name]
        return to_columns(outputs, given[: len(outputs)]), after

    def _run_on_bits(self, feeds: State) -> list[NDArray[Any]]:
        """As the session's `run`, on arrays some of which are the bits of bfloat16."""
        binding, shape = self._session.io_binding(), feeds[INPUT].shape
        given = [
            np.empty((*shape[:2], *output.step_shape), output.dtype)
            for output in self._contract.outputs
        ]
        given += [
            np.empty((*shape[:1], *tensor.shape), tensor.numpy_dtype)
            for tensor in self._contract.state
        ]
        kept = {name: np.ascontiguousarray(array) for name, array in feeds.items()}
        for name, array in kept.items():
            kind = _BFLOAT16 if name in self._as_bits else array.dtype
            binding.bind_input(name, "cpu", 0, kind, array.shape, array.ctypes.data)
        for name, array in zip(self._names, given, strict=True):
            kind = _BFLOAT16 if name in self._as_bits else array.dtype
            binding.bind_output(name, "cpu", 0, kind, array.shape, array.ctypes.data)
        self._run(self._session.run_with_iobinding, binding)
        return given

    def run_in_place(
        self, x: Steps, lengths: NDArray[np.int64], tensors: State, rows: Indices, to: Indices
    ) -> Floats:
        """As `Backend.advance`, where the graph takes row numbers: no state is copied."""
        if tensors is not self._bound:
            self._bound = None  # until all of it is bound
            for tensor in self._contract.state:
                array = tensors[tensor.name]
                self._bind(self._binding.bind_input, tensor.name, array)
                self._bind(self._binding.bind_output, tensor.next_name, array)
            self._bound = tensors
        if x.shape != self._shape:
            self._shape = ()  # until all of it is bound
            self._take(x.shape, x.dtype)
            self._shape = x.shape
        self._x[:], self._lengths[:], self._rows[:], self._to[:] = x, lengths, rows, to
        self._run(self._session.run_with_iobinding, self._binding)
        columns = to_columns(self._contract.outputs, self._outputs)
        return columns.copy()  # the next run writes into the same memory

    def _take(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        """Bind memory for an x of that shape and what goes with it."""
        bind_input, bind_output = self._binding.bind_input, self._binding.bind_output
        batch = shape[:1]
        self._x = self._array(bind_input, INPUT, shape, dtype)
        self._lengths = self._array(bind_input, LENGTHS, batch, np.int64)
        self._rows = self._array(bind_input, ROWS, batch, np.int64)
        self._to = self._array(bind_input, NEXT_ROWS, batch, np.int64)
        self._outputs = [
            self._array(bind_output, o.name, (*shape[:2], *o.step_shape), o.dtype)
            for o in self._contract.outputs
        ]

    def _array(self, bind: Bind, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        size, own = math.prod(shape), self._own.get(name)
        if own is None or own.size < size:
            own = self._own[name] = np.empty(size, dtype=dtype)
        array = own[:size].reshape(shape)
        self._bind(bind, name, array)
        return array

    def _bind(self, bind: Bind, name: str, array: NDArray[Any]) -> None:
        bind(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
