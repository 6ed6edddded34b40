"""LitServe: a worker process for each core; what waits is batched for a millisecond at most."""

from __future__ import annotations

import numpy as np

from benchmarks.peers.asks import plain_json
from benchmarks.peers.base import ONNXRUNTIME, SERVING, Peer


class LitServe(Peer):
    name = "litserve"
    requirements = ("litserve==0.2.19", ONNXRUNTIME)
    health = "/health"
    asks = {"JSON": plain_json("/predict")}


if SERVING == "litserve":
    import litserve

    from benchmarks.peers.graph import PORT, WORKERS, Graph

    class Window(litserve.LitAPI):
        def setup(self, device):
            self.graph = Graph()

        def decode_request(self, request):
            return np.array(request["x"], dtype=np.float32)

        def batch(self, inputs):
            return np.concatenate(inputs)

        def predict(self, x):
            return self.graph.run(x)

        def unbatch(self, output):
            return list(output[:, None])

        def encode_response(self, output):
            return {"logits": output.tolist()}

    if __name__ == "__main__":
        api = Window(max_batch_size=64, batch_timeout=0.001)
        server = litserve.LitServer(
            api, accelerator="cpu", workers_per_device=WORKERS, timeout=False
        )
        server.run(host="127.0.0.1", port=PORT, log_level="warning", generate_client_file=False)
