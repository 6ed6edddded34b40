"""TorchServe: a worker process for each core behind its Java frontend, its own batching."""

from __future__ import annotations

import io
import json

import numpy as np

from benchmarks.peers.asks import plain_json, plain_npy
from benchmarks.peers.base import MODEL, ONNXRUNTIME, ROOT, SERVING, Peer, Place, Start

PATH = f"/predictions/{MODEL}"
HANDLER = """from benchmarks.peers import torchserve


class Handler(torchserve.Handler):
    pass
"""


class TorchServe(Peer):
    name = "torchserve"
    requirements = ("torchserve==0.12.0", "torch==2.13.0", "pyyaml==6.0.3", ONNXRUNTIME)
    health = "/ping"
    asks = {"JSON": plain_json(PATH), "binary": plain_npy(PATH)}

    def start(self, place: Place) -> Start:
        archive = place.folder / "store" / MODEL
        (archive / "MAR-INF").mkdir(parents=True)
        (archive / "handler.py").write_text(HANDLER)
        model = {"modelName": MODEL, "modelVersion": "1", "handler": "handler.py"}
        manifest = {"runtime": "python", "model": model, "archiverVersion": "0.12.0"}
        (archive / "MAR-INF" / "MANIFEST.json").write_text(json.dumps(manifest))
        served = {
            "defaultVersion": True,
            "marName": MODEL,
            "minWorkers": place.workers,
            "maxWorkers": place.workers,
            "batchSize": 64,
            "maxBatchDelay": 1,
            "responseTimeout": 60,
        }
        management, metrics = place.more_ports
        settings = {
            "inference_address": f"http://127.0.0.1:{place.port}",
            "management_address": f"http://127.0.0.1:{management}",
            "metrics_address": f"http://127.0.0.1:{metrics}",
            "disable_token_authorization": "true",
            "enable_envvars_config": "false",
            "model_store": archive.parent,
            "load_models": MODEL,
            "models": json.dumps({MODEL: {"1": served}}),
        }
        config = place.folder / "config.properties"
        config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        command = [
            *(str(place.python.with_name("torchserve")), "--start", "--foreground"),
            *("--ts-config", str(config), "--disable-token-auth"),
        ]
        logs = {"LOG_LOCATION": str(place.folder), "METRICS_LOCATION": str(place.folder)}
        environment = place.module(self.name, PYTHONPATH=str(ROOT), **logs).environment
        return Start(command, environment)


if SERVING == "torchserve":
    from benchmarks.peers.graph import Graph

    class Handler:
        def initialize(self, context):
            self.graph = Graph()

        def handle(self, requests, context):
            bodies = [asked.get("body") or asked["data"] for asked in requests]
            x = np.concatenate([self.decode(body) for body in bodies])
            return [{"logits": logits} for logits in self.graph.run(x).tolist()]

        def decode(self, body):
            if isinstance(body, dict):
                return np.array(body["x"], dtype=np.float32)
            return np.load(io.BytesIO(body))
