"""MLServer: a worker process for each core, its own adaptive batching."""

from __future__ import annotations

import json

from benchmarks.peers import oip
from benchmarks.peers.base import ONNXRUNTIME, Ask, Floats, Peer, Place, Start, module
from benchmarks.server import ROOT, free_port


class MLServer(Peer):
    name = "mlserver"
    requirements = ("mlserver==1.7.1", "uvloop==0.21.0", ONNXRUNTIME)
    health = f"/v2/models/{oip.MODEL}/ready"

    def start(self, place: Place) -> Start:
        settings = {
            "debug": False,
            "host": "127.0.0.1",
            "http_port": place.port,
            "grpc_port": free_port(),
            "metrics_endpoint": None,
            "parallel_workers": place.workers,
        }
        model = {
            "name": oip.MODEL,
            "implementation": "benchmarks.servers.mlserver.Window",
            "max_batch_size": 64,
            "max_batch_time": 0.001,
        }
        (place.folder / "settings.json").write_text(json.dumps(settings))
        (place.folder / "model-settings.json").write_text(json.dumps(model))
        environment = module(place, "mlserver", PYTHONPATH=str(ROOT)).environment
        command = [str(place.python.with_name("mlserver")), "start", str(place.folder)]
        return Start(command, environment)

    def asks(self, window: Floats) -> dict[str, Ask]:
        return {"JSON": oip.json_ask(window)}
