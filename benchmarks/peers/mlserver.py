"""MLServer: a worker process for each core, its own adaptive batching."""

from __future__ import annotations

import json

import numpy as np

from benchmarks.peers.asks import OIP
from benchmarks.peers.base import MODEL, ONNXRUNTIME, ROOT, SERVING, Peer, Place, Start


class MLServer(Peer):
    name = "mlserver"
    requirements = ("mlserver==1.7.1", "uvloop==0.21.0", ONNXRUNTIME)
    health = f"/v2/models/{MODEL}/ready"
    asks = {"JSON": OIP["JSON"]}

    def start(self, place: Place) -> Start:
        settings = {
            "debug": False,
            "host": "127.0.0.1",
            "http_port": place.port,
            "grpc_port": place.more_ports[0],
            "metrics_endpoint": None,
            "parallel_workers": place.workers,
        }
        model = {
            "name": MODEL,
            "implementation": "benchmarks.peers.mlserver.Window",
            "max_batch_size": 64,
            "max_batch_time": 0.001,
        }
        (place.folder / "settings.json").write_text(json.dumps(settings))
        (place.folder / "model-settings.json").write_text(json.dumps(model))
        environment = place.module(self.name, PYTHONPATH=str(ROOT)).environment
        command = [str(place.python.with_name("mlserver")), "start", str(place.folder)]
        return Start(command, environment)


if SERVING == "mlserver":
    from mlserver import MLModel
    from mlserver.codecs import NumpyCodec
    from mlserver.types import InferenceRequest, InferenceResponse

    from benchmarks.peers.graph import Graph

    class Window(MLModel):
        async def load(self) -> bool:
            self.graph = Graph()
            return True

        async def predict(self, payload: InferenceRequest) -> InferenceResponse:
            x = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32, copy=False)
            output = NumpyCodec.encode_output("logits", self.graph.run(x))
            return InferenceResponse(model_name=self.name, outputs=[output])
