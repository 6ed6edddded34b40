"""One of onnxruntime's sessions and the memory that is bound to it. One run at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from larnn_service.contract import INPUT, LENGTHS, NEXT_ROWS, ROWS, Contract
from larnn_service.interfaces import Floats, Indices, State, Steps
from larnn_service.outputs import to_columns

_BFLOAT16 = 16
"""What ONNX calls it, as numpy has no name for it."""
Bind = Callable[[str, str, int, Any, Any, int], None]


SHAPES = 256
"""For so many shapes of x what a run takes and gives stays bound."""


class _Bound(NamedTuple):
    """What is bound for one shape of x: views of the session's own memory."""

    binding: Any
    x: NDArray[Any]
    lengths: Indices
    rows: Indices
    to: Indices
    outputs: list[NDArray[Any]]


class BoundSession:
    """Runs on state that is handed over, or on state that stays where it is.

    To bind an array takes as long as a step of a small network. What runs take and give is copied
    into memory of the session's own, which stays bound for each shape that has come.
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
        self._bound: dict[tuple[int, ...], _Bound] = {}
        """By the shape of x."""
        self._tensors: State | None = None
        """The state that they are bound to."""
        self._own: dict[str, NDArray[Any]] = {}
        """By name, as large as was needed."""

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
        if tensors is not self._tensors or len(self._bound) > SHAPES:
            self._bound.clear()
            self._tensors = tensors
        if (bound := self._bound.get(x.shape)) is None:
            bound = self._bind_all(x.shape, x.dtype, tensors)
            self._bound[x.shape] = bound
        bound.x[:], bound.lengths[:], bound.rows[:], bound.to[:] = x, lengths, rows, to
        self._run(self._session.run_with_iobinding, bound.binding)
        columns = to_columns(self._contract.outputs, bound.outputs)
        return columns.copy()  # the next run writes into the same memory

    def _bind_all(self, shape: tuple[int, ...], dtype: np.dtype[Any], tensors: State) -> _Bound:
        """Bind the state, and memory for an x of that shape and what goes with it."""
        binding = self._session.io_binding()
        take, give, batch = binding.bind_input, binding.bind_output, shape[:1]
        for tensor in self._contract.state:
            _bind(take, tensor.name, tensors[tensor.name])
            _bind(give, tensor.next_name, tensors[tensor.name])
        return _Bound(
            binding,
            self._array(take, INPUT, shape, dtype),
            self._array(take, LENGTHS, batch, np.int64),
            self._array(take, ROWS, batch, np.int64),
            self._array(take, NEXT_ROWS, batch, np.int64),
            [
                self._array(give, o.name, (*shape[:2], *o.step_shape), o.dtype)
                for o in self._contract.outputs
            ],
        )

    def _array(self, bind: Bind, name: str, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        size, own = math.prod(shape), self._own.get(name)
        if own is None or own.size < size:
            own = self._own[name] = np.empty(size, dtype=dtype)
            self._bound.clear()  # what is bound to less memory would keep it
        array = own[:size].reshape(shape)
        _bind(bind, name, array)
        return array


def _bind(bind: Bind, name: str, array: NDArray[Any]) -> None:
    bind(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
