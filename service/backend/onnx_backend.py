"""onnxruntime behind the Backend protocol: the only import of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from service.backend.base import Floats, State, Steps
from service.backend.providers import CPU, CUDA, candidates, missing_cuda
from service.contract import (
    ATTENTION,
    INPUT,
    LENGTHS,
    LOGITS,
    METADATA_KEY,
    Contract,
    ContractError,
    TensorSignature,
)

logger = logging.getLogger(__name__)

Provider = Literal["auto", "cpu", "cuda"]
_DTYPES = {"tensor(float)": "float32", "tensor(int64)": "int64"}


class OnnxBackend:
    """One thread a run: concurrency comes from concurrent runs.

    On the CPU each has a session of its own: runs of one session wait for each other at every
    node, where they take memory from its one arena. With two of them that is a third of the time.
    """

    def __init__(self, graph: bytes, contract: Contract, provider: Provider, runs: int = 1) -> None:
        """Raises ContractError where graph and contract disagree, StartupError without provider."""
        self._session, self.provider = _open(graph, provider)
        self._idle = [self._session]
        if self.provider == CPU:
            self._idle += [_open(graph, "cpu")[0] for _ in range(runs - 1)]
        self._state = [(tensor.name, tensor.next_name) for tensor in contract.state]
        self._outputs = [LOGITS, *(next_name for _, next_name in self._state)]
        metadata = self._session.get_modelmeta().custom_metadata_map
        contract.check_metadata(metadata.get(METADATA_KEY))
        contract.check_graph(
            [_signature(tensor) for tensor in self._session.get_inputs()],
            [_signature(tensor) for tensor in self._session.get_outputs()],
        )

    def run(self, x: Steps, lengths: NDArray[np.int64], state: State) -> tuple[Floats, State]:
        try:
            session = self._idle.pop()
        except IndexError:  # more runs than announced: a session may be shared
            return self._run(self._session, x, lengths, state)
        try:
            return self._run(session, x, lengths, state)
        finally:
            self._idle.append(session)

    def _run(
        self, session: Any, x: Steps, lengths: NDArray[np.int64], state: State
    ) -> tuple[Floats, State]:
        outputs = session.run(self._outputs, {INPUT: x, LENGTHS: lengths, **state})
        names = (name for name, _ in self._state)
        return outputs[0], dict(zip(names, outputs[1:], strict=True))


class OnnxAttention:
    """The graph that says where a step looked, for those who ask; always on the CPU."""

    def __init__(self, graph: bytes, contract: Contract) -> None:
        """Raises ContractError where the graph cannot take what the model's takes."""
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
        weights: Floats = self._session.run([ATTENTION], feeds)[0][0]
        return weights


def _open(graph: bytes, requested: Provider) -> tuple[Any, str]:
    available = onnxruntime.get_available_providers()
    if CUDA in available and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    for provider in candidates(requested, available):
        try:
            session = onnxruntime.InferenceSession(
                graph, sess_options=_options(), providers=[provider]
            )
        except Exception as error:  # onnxruntime's errors share no base class
            if provider == CPU:
                raise ContractError("graph", f"onnxruntime cannot load it: {error}") from error
            logger.warning("%s did not load the graph: %s", provider, error)
            continue
        if provider in session.get_providers():
            return session, provider
        logger.warning("%s did not start", provider)
    raise missing_cuda()


def _options() -> Any:
    options = onnxruntime.SessionOptions()
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
