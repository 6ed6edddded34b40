"""PyTriton: a function for each instance, HTTP alone, what waits is batched without a wait."""

from __future__ import annotations

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from benchmarks.servers.graph import PORT, WORKERS, Graph


class Window:
    def __init__(self) -> None:
        self.graph = Graph()

    @batch
    def __call__(self, x):
        return [self.graph.run(x)]


if __name__ == "__main__":
    config = TritonConfig(
        http_address="127.0.0.1", http_port=PORT, allow_grpc=False, allow_metrics=False
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="window",
            infer_func=[Window() for _ in range(WORKERS)],
            inputs=[Tensor(name="x", dtype=np.float32, shape=(-1, 9))],
            outputs=[Tensor(name="logits", dtype=np.float32, shape=(6,))],
            config=ModelConfig(max_batch_size=64, batcher=DynamicBatcher()),
        )
        triton.serve()
