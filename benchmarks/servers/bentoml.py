"""BentoML, served by `bentoml serve`."""

from __future__ import annotations

import bentoml
import numpy as np

from benchmarks.servers.graph import WORKERS, Graph


@bentoml.service(workers=WORKERS, traffic={"timeout": 60, "max_concurrency": 1000})
class Window:
    def __init__(self) -> None:
        self.graph = Graph()

    @bentoml.api(batchable=True, max_batch_size=64)
    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.graph.run(x.astype(np.float32, copy=False))
