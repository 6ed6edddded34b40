"""Graphs run bare, and what they cost in CPU time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from benchmarks.naive import NaiveClassifier, naive_state
from larnn_export.families import FAMILIES, NetworkConfig
from larnn_export.networks import RecurrentClassifier
from larnn_service.contract import INPUT, LENGTHS, LOGITS
from larnn_service.native import library

Run = Callable[[], object]


def cpu_ms(run: Run) -> float:
    """CPU time of this thread: what other processes do to the clock does not count."""
    start = time.thread_time()
    run()
    return 1e3 * (time.thread_time() - start)


def open_session(model: onnx.ModelProto, native: bool = False) -> Any:
    """One thread; `native` with the operator, where `library()` has found it."""
    options = onnxruntime.SessionOptions()
    if native:
        options.register_custom_ops_library(library())
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def run_of(session: Any, network: RecurrentClassifier, x: NDArray[np.float32]) -> Run:
    feed = {
        INPUT: x,
        LENGTHS: np.full(len(x), x.shape[1], dtype=np.int64),
        **{tensor.name: tensor.initial_array(len(x)) for tensor in network.state_tensors()},
    }
    outputs = [LOGITS, *(tensor.next_name for tensor in network.state_tensors())]
    return lambda: session.run(outputs, feed)


def naive_run_of(session: Any, network: RecurrentClassifier, x: NDArray[np.float32]) -> Run:
    values = [x, *(tensor.numpy() for tensor in naive_state(network, len(x)))]
    feed = {given.name: value for given, value in zip(session.get_inputs(), values, strict=True)}
    return lambda: session.run(None, feed)


def compiled_run_of(network: RecurrentClassifier, x: torch.Tensor) -> Run:
    """The obvious network by torch's compiler, for this shape alone; the first run compiles it."""
    torch.compiler.reset()  # it counts how often it has compiled the same code, and stops at eight
    run = torch.compile(NaiveClassifier(network).eval(), fullgraph=True, dynamic=False)
    state = naive_state(network, len(x))
    return torch.no_grad()(lambda: run(x, *state))


def macs_per_step(config: NetworkConfig) -> int:
    """Multiply-adds of one row's step: products and sums over memory, not the activations."""
    layer = FAMILIES[config.family].multiply_adds(config)
    return config.layers * layer + config.hidden_size * (config.channels + config.classes)
