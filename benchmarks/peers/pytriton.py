"""PyTriton 0.7: Triton as its users run it, its proxy between the server and their function.

The proxy hands each batch, through shared memory, from Triton's processes to PyTriton's own, where
a thread for each core runs the function. What waits is batched without a wait.
"""

from __future__ import annotations

import numpy as np

from benchmarks.peers.base import MODEL, SERVING, Place, Start
from benchmarks.peers.triton import Triton


class PyTriton(Triton):
    name = "pytriton"
    environment = Triton.name

    def start(self, place: Place) -> Start:
        return place.module(self.name, PYTRITON_HOME=str(place.folder))


if SERVING == "pytriton":
    from pytriton.decorators import batch
    from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
    from pytriton.triton import Triton as Server
    from pytriton.triton import TritonConfig

    from benchmarks.peers.graph import PORT, WORKERS, Graph

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
        with Server(config=config) as server:
            server.bind(
                model_name=MODEL,
                infer_func=[Window() for _ in range(WORKERS)],
                inputs=[Tensor(name="x", dtype=np.float32, shape=(-1, 9))],
                outputs=[Tensor(name="logits", dtype=np.float32, shape=(6,))],
                config=ModelConfig(max_batch_size=64, batcher=DynamicBatcher()),
            )
            server.serve()
