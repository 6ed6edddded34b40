"""A graph run by onnxruntime, and how far its answers are from others'. It needs no torch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from larnn_export.reasons import reason
from larnn_export.widened import wide, widened


class RunError(ValueError):
    """A graph cannot be run; the text is what onnxruntime says of it."""


class Session:
    """A graph on one thread; what is bfloat16 in it is given and taken as float32."""

    def __init__(self, graph: Path | bytes) -> None:
        """From a file, or from its bytes. Raises RunError."""
        self._session = _session(graph)
        edges = (*self._session.get_inputs(), *self._session.get_outputs())
        self._narrow = {edge.name for edge in edges if edge.type == "tensor(bfloat16)"}
        if self._narrow:
            model = onnx.load(graph) if isinstance(graph, Path) else onnx.load_from_string(graph)
            self._session = _session(widened(model).SerializeToString())

    def run(self, names: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """These outputs, in their order. Raises RunError."""
        given = dict(feeds)
        for name in self._narrow & {*feeds}:
            given[wide(name)] = np.asarray(given.pop(name), np.float32)
        asked = [wide(name) if name in self._narrow else name for name in names]
        with _told():
            return list(self._session.run(asked, given))


def _session(graph: Path | bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    source = str(graph) if isinstance(graph, Path) else graph
    with _told():
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # those of onnxruntime share no base class
        raise RunError(reason(error)) from error


def difference(mine: NDArray[Any], other: NDArray[Any]) -> float:
    """The largest, relative to max(1, |other|); none where both are the same infinity."""
    mine, other = mine.astype(np.float64), other.astype(np.float64)  # of booleans, too
    with np.errstate(invalid="ignore"):
        each = np.abs(mine - other) / np.maximum(1, np.abs(other))
    return float(np.where(mine == other, 0, each).max(initial=0.0))
