"""onnxruntime alone: what any service in front of it can at best come close to."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from benchmarks.measure import Round
from larnn_service.contract import INPUT, LENGTHS, LOGITS, Manifest
from larnn_service.native import library


class BareSession:
    """The graph as the service runs it, with the operator where that is installed: a session with
    the same options for each thread.
    """

    def __init__(self, folder: Path, manifest: Manifest, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        if (native := library()) is not None:
            options.register_custom_ops_library(native)
        self._sessions = [
            onnxruntime.InferenceSession(
                str(folder / manifest.graph.file), options, providers=["CPUExecutionProvider"]
            )
            for _ in range(threads)
        ]
        self._state = manifest.contract.state
        self._outputs = [LOGITS, *(tensor.next_name for tensor in self._state)]

    def measure(self, window: NDArray[np.float32], batch: int, seconds: float, runs: int) -> Round:
        """So many windows [steps, channels] a run, over and over in each of the threads, until time
        or runs are up; there is no client."""
        feed = {
            INPUT: np.repeat(window[None], batch, axis=0),
            LENGTHS: np.full(batch, len(window), dtype=np.int64),
            **{tensor.name: tensor.initial_array(batch) for tensor in self._state},
        }
        for session in self._sessions:
            session.run(self._outputs, feed)

        def repeat(session: Any) -> list[float]:
            latencies: list[float] = []
            while not latencies or (len(latencies) < runs and time.perf_counter() < until):
                before = time.perf_counter()
                session.run(self._outputs, feed)
                latencies.append(time.perf_counter() - before)
            return latencies

        with ThreadPoolExecutor(len(self._sessions)) as pool:
            cpu, start = time.process_time(), time.perf_counter()
            until = start + seconds
            parts = list(pool.map(repeat, self._sessions))
            elapsed, used = time.perf_counter() - start, time.process_time() - cpu
        latencies = [latency for part in parts for latency in part]
        return Round.of(latencies, elapsed, used, batch)
