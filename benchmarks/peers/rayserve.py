"""Ray Serve: a replica for each core; what waits is batched, without a wait."""

from __future__ import annotations

import io
import signal

import numpy as np

from benchmarks.peers.asks import plain_json, plain_npy
from benchmarks.peers.base import ONNXRUNTIME, SERVING, Peer


class RayServe(Peer):
    name = "rayserve"
    requirements = ("ray[serve]==2.60.0", ONNXRUNTIME)
    health = "/-/healthz"
    asks = {"JSON": plain_json("/predict"), "binary": plain_npy("/predict")}


if SERVING == "rayserve":
    import ray
    from ray import serve
    from starlette.requests import Request

    from benchmarks.peers.graph import PORT, WORKERS, Graph

    @serve.deployment(
        num_replicas=WORKERS, max_ongoing_requests=128, ray_actor_options={"num_cpus": 0}
    )
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
