"""The native operator for tests: any network, any level of vector instructions."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from larnn_export.families.larnn.config import LARNNConfig
from larnn_export.graph import build_graph
from larnn_export.networks import RecurrentClassifier
from larnn_export.publish import contract_of
from larnn_service import native as native_library
from larnn_service.contract import INPUT, LENGTHS, LOGITS, NEXT_ROWS, ROWS
from tests import tools
from tests.networks import Array, State


def need_kernels() -> str:
    """The library. Skips, or fails, without it."""
    library = native_library.library()
    if library is None:
        tools.missing("larnn-kernels is not installed: make kernels", "KERNELS")
    return library


def levels_here() -> list[str]:
    """Those of native_library.LEVELS that this processor runs, asked of the library itself."""
    network = RecurrentClassifier(LARNNConfig(hidden_size=2, heads=1, layers=1)).eval()
    found = []
    for level in native_library.LEVELS:
        try:
            open_native(network, level)
        except Exception as error:  # onnxruntime's errors share no base class
            assert "this processor runs" in str(error)
        else:
            found.append(level)
    return found


def open_native(network: RecurrentClassifier, level: str | None = None, threads: int = 1) -> Any:
    """A session with the operator; `level` is None for the best one."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.register_custom_ops_library(need_kernels())
    graph = build_graph(network, contract_of(network)).SerializeToString()
    with pytest.MonkeyPatch.context() as patch:
        if level is not None:
            patch.setenv(native_library.LEVEL, level)
        return onnxruntime.InferenceSession(graph, options, ["CPUExecutionProvider"])


def advance(session: Any, x: Array, lengths: Array, state: State) -> tuple[Array, State]:
    """x [batch, steps, channels], state [batch, …] → logits, next state."""
    names = [LOGITS, *(f"next_{name}" for name in state)]
    logits, *after = session.run(names, {INPUT: x, LENGTHS: lengths, **state})
    return logits, dict(zip(state, after, strict=True))


def advance_rows(
    session: Any, x: Array, lengths: Array, stored: State, rows: Array, next_rows: Array
) -> tuple[Array, State]:
    """As `advance`, on rows of `stored`: a copy of it with the next rows written."""
    result = {name: value.copy() for name, value in stored.items()}
    binding = session.io_binding()
    inputs = {INPUT: x, LENGTHS: lengths, ROWS: rows, NEXT_ROWS: next_rows, **result}
    logits = np.empty((*x.shape[:2], 6), np.float32)
    outputs = {LOGITS: logits, **{f"next_{name}": value for name, value in result.items()}}
    for bind, arrays in ((binding.bind_input, inputs), (binding.bind_output, outputs)):
        for name, array in arrays.items():
            bind(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
    session.run_with_iobinding(binding)
    return logits, result


def in_float64(
    network: RecurrentClassifier, x: Array, lengths: Array, state: State
) -> tuple[Array, State]:
    """The network in torch, in double precision, from a state in single."""
    exact = copy.deepcopy(network).double()
    tensors = tuple(
        torch.from_numpy(value.astype(np.float64) if value.dtype.kind == "f" else value)
        for value in state.values()
    )
    logits, after = exact(
        torch.from_numpy(x.astype(np.float64)), tensors, torch.from_numpy(lengths)
    )
    return logits.numpy(), dict(zip(state, (t.numpy() for t in after), strict=True))


def random_state(network: RecurrentClassifier, batch: int, seed: int) -> State:
    """Queues filled here and there, from nothing to the last slot; empty slots are zero."""
    random = np.random.default_rng(seed)
    k = max((t.shape[0] for t in network.state_tensors() if len(t.shape) == 2), default=0)
    filled = random.integers(0, k + 1, batch)
    empty = np.arange(k) < k - filled[:, None]
    state: dict[str, NDArray[Any]] = {}
    for tensor in network.state_tensors():
        value = random.uniform(-1, 1, (batch, *tensor.shape)).astype(np.float32)
        if tensor.name.startswith(("keys", "values")):
            value[empty] = 0.0
        state[tensor.name] = filled if tensor.dtype == "int64" else value
    return state
