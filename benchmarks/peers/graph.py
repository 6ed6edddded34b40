"""The stand-in's graph with the session options that the service uses."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

PORT = int(os.environ["BENCHMARK_PORT"])
WORKERS = int(os.environ["BENCHMARK_WORKERS"])


class Graph:
    """One session, one thread a run."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            os.environ["BENCHMARK_GRAPH"], options, providers=["CPUExecutionProvider"]
        )

    def __reduce__(self) -> tuple[type[Graph], tuple[()]]:
        """A copy in another process opens a session of its own."""
        return Graph, ()

    def run(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """float32 [batch, steps, channels] → logits [batch, classes]."""
        logits: NDArray[np.float32] = self._session.run(["logits"], {"x": x})[0]
        return logits
