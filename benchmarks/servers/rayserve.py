"""Ray Serve: what waits is batched, without a wait."""

from __future__ import annotations

import io
import signal

import numpy as np
import ray
from ray import serve
from starlette.requests import Request

from benchmarks.servers.graph import PORT, WORKERS, Graph


@serve.deployment(num_replicas=WORKERS, max_ongoing_requests=128, ray_actor_options={"num_cpus": 0})
class Window:
    def __init__(self) -> None:
        self.graph = Graph()

    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0)
    async def classify(self, windows):
        return list(self.graph.run(np.concatenate(windows)))

    async def __call__(self, request: Request):
        if request.headers["content-type"] == "application/json":
            x = np.array((await request.json())["x"], dtype=np.float32)
        else:
            x = np.load(io.BytesIO(await request.body()))
        return {"logits": (await self.classify(x)).tolist()}


if __name__ == "__main__":
    ray.init(include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": PORT, "access_log": False})
    serve.run(Window.bind(), route_prefix="/predict")
    signal.pause()
