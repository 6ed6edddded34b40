"""onnxruntime behind the Backend protocol: the only import of it."""

from __future__ import annotations

import contextlib
import logging
import math
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from larnn_service.backend.io_binding import BoundSession
from larnn_service.backend.providers import CPU, CUDA, candidates, missing_cuda
from larnn_service.backend.watchdog import Watchdog
from larnn_service.contract import (
    ATTENTION,
    INPUT,
    LENGTHS,
    METADATA_KEY,
    NEXT_ROWS,
    OPERATORS_KEY,
    ROWS,
    Contract,
    ContractError,
    TensorSignature,
)
from larnn_service.interfaces import Floats, Indices, Operator, State, Steps, advance_by_copy
from larnn_service.native import library, takes_over

logger = logging.getLogger(__name__)

T = TypeVar("T")
Provider = Literal["auto", "cpu", "cuda"]
_SAME = ["float16", "bfloat16", "bool", "int8", "int16", "int32", "int64"]
_SAME += ["uint8", "uint16", "uint32", "uint64"]
_DTYPES = {"tensor(float)": "float32", "tensor(double)": "float64"}
_DTYPES |= {f"tensor({name})": name for name in _SAME}

_WATCHDOG = Watchdog()
_FOLDER_OF_DATA = "session.model_external_initializers_file_folder_path"
_GRAPH_ID = "gpu_graph_id"
"""An option of a run. Where it is not set onnxruntime raises and catches an exception each time."""
_NOWHERE = os.path.join(os.devnull, "none")
"""A folder that cannot be: no weights are read from a disk, least of all the working folder's."""


class Graph(NamedTuple):
    """An ONNX file, and by name the files that it calls its external data."""

    file: bytes
    data: Mapping[str, bytes] = {}


class OnnxBackend:
    """One thread a run: concurrency comes from concurrent runs.

    On the CPU each has a session of its own: runs of one session wait for each other at every
    node, where they take memory from its one arena. With two of them that is a third of the time.
    """

    def __init__(
        self,
        graph: Graph,
        contract: Contract,
        provider: Provider,
        runs: int = 1,
        run_within: float = math.inf,
    ) -> None:
        """`run_within`: seconds after which a run is ended, and fails.

        Raises ContractError where graph and contract disagree, StartupError without provider.
        """
        session, self.provider = _open(graph, provider)
        metadata = session.get_modelmeta().custom_metadata_map
        contract.check_metadata(metadata.get(METADATA_KEY))
        contract.check_graph(
            [_signature(tensor) for tensor in session.get_inputs()],
            [_signature(tensor) for tensor in session.get_outputs()],
        )
        optional = {tensor.name for tensor in session.get_overridable_initializers()}
        native = self.provider == CPU and takes_over(metadata.get(OPERATORS_KEY, ""))
        self.operator: Operator = "native" if native else "graph"
        self._in_place = native and {ROWS, NEXT_ROWS} <= optional and not contract.context
        bound = partial(BoundSession, contract=contract, run=partial(_run_within, run_within))
        self._another = partial(bound, session)
        self._idle = [self._another()]
        if self.provider == CPU:
            self._idle += [bound(_open(graph, "cpu")[0]) for _ in range(runs - 1)]

    def run(self, x: Steps, lengths: NDArray[np.int64], state: State) -> tuple[Floats, State]:
        """x, lengths, state [batch, …] → outputs, next state."""
        with self._session() as session:
            return session.run(x, lengths, state)

    def advance(
        self,
        x: Steps,
        lengths: NDArray[np.int64],
        tensors: State,
        rows: Indices,
        next_rows: Indices,
    ) -> Floats:
        if not self._in_place:
            return advance_by_copy(self.run, x, lengths, tensors, rows, next_rows)
        with self._session() as session:
            return session.run_in_place(x, lengths, tensors, rows, next_rows)

    @contextlib.contextmanager
    def _session(self) -> Iterator[BoundSession]:
        try:
            session = self._idle.pop()
        except IndexError:  # more runs than announced: they share a session, not what is bound
            yield self._another()
            return
        try:
            yield session
        finally:
            self._idle.append(session)


class OnnxAttention:
    """The graph that says where a step looked, for those who ask; always on the CPU."""

    def __init__(self, graph: Graph, contract: Contract, run_within: float = math.inf) -> None:
        """`run_within` as for OnnxBackend. Raises ContractError where the graph cannot take what
        the model's takes."""
        self._run = partial(_run_within, run_within)
        self._session, _ = _open(graph, "cpu")
        expected = {signature.name: signature for signature in contract.expected_inputs()}
        for tensor in self._session.get_inputs():
            if expected.get(tensor.name) != _signature(tensor):
                raise ContractError(f"input {tensor.name}", "the model's graph takes another")
        self._names = [tensor.name for tensor in self._session.get_inputs()]
        if [tensor.name for tensor in self._session.get_outputs()] != [ATTENTION]:
            raise ContractError(f"output {ATTENTION}", "the graph must have this one alone")

    def run(self, steps: Floats, state: Mapping[str, NDArray[Any]]) -> Floats:
        given: Mapping[str, NDArray[Any]]
        given = {INPUT: steps, LENGTHS: np.array(len(steps), dtype=np.int64), **state}
        feeds = {name: given[name][None] for name in self._names}
        weights: Floats = self._run(self._session.run, [ATTENTION], feeds)[0][0]
        return weights


def _run_within(within: float, run: Callable[..., T], *arguments: Any) -> T:
    """Run with these arguments and options, which end it after so many seconds."""
    options = onnxruntime.RunOptions()
    options.add_run_config_entry(_GRAPH_ID, "0")
    _WATCHDOG.begin(options, within)
    try:
        return run(*arguments, options)
    finally:
        _WATCHDOG.end(options)


def _open(graph: Graph, requested: Provider) -> tuple[Any, str]:
    available = onnxruntime.get_available_providers()
    if CUDA in available and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    for provider in candidates(requested, available):
        try:
            session = onnxruntime.InferenceSession(
                graph.file, sess_options=_options(provider, graph.data), providers=[provider]
            )
        except Exception as error:  # onnxruntime's errors share no base class
            if provider == CPU:
                raise ContractError("graph", _why(error)) from error
            logger.warning("%s did not load the graph: %s", provider, error)
            continue
        if provider in session.get_providers():
            return session, provider
        logger.warning("%s did not start", provider)
    raise missing_cuda()


def _why(error: Exception) -> str:
    if "external" in str(error).lower():
        return (
            "weights outside of it must be files of its folder that the manifest names in the "
            f"graph's `data`, each with its sha256; onnxruntime says: {error}"
        )
    return f"onnxruntime cannot load it: {error}"


def _options(provider: str, data: Mapping[str, bytes]) -> Any:
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry(_FOLDER_OF_DATA, _NOWHERE)
    if data:
        names, files = list(data), list(data.values())
        options.add_external_initializers_from_files_in_memory(names, files, [*map(len, files)])
    if provider == CPU and (operators := library()) is not None:
        options.register_custom_ops_library(operators)
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return options


def _signature(tensor: Any) -> TensorSignature:
    return TensorSignature(
        name=tensor.name,
        dtype=_DTYPES.get(tensor.type, tensor.type),
        shape=tuple(size if isinstance(size, int) else None for size in tensor.shape),
    )
