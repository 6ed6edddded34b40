"""TorchServe: a worker process for each core behind its Java frontend, its own batching."""

from __future__ import annotations

import json
import shutil

from benchmarks.peers import oip, plain
from benchmarks.peers.base import ONNXRUNTIME, Ask, Floats, Peer, Place, Start, module
from benchmarks.server import ROOT, free_port

PATH = f"/predictions/{oip.MODEL}"


class TorchServe(Peer):
    name = "torchserve"
    requirements = ("torchserve==0.12.0", "torch==2.13.0", "pyyaml==6.0.3", ONNXRUNTIME)
    health = "/ping"

    def start(self, place: Place) -> Start:
        archive = place.folder / "store" / oip.MODEL
        (archive / "MAR-INF").mkdir(parents=True)
        shutil.copy(ROOT / "benchmarks" / "servers" / "torchserve.py", archive / "handler.py")
        model = {"modelName": oip.MODEL, "modelVersion": "1", "handler": "handler.py"}
        manifest = {"runtime": "python", "model": model, "archiverVersion": "0.12.0"}
        (archive / "MAR-INF" / "MANIFEST.json").write_text(json.dumps(manifest))
        served = {
            "defaultVersion": True,
            "marName": oip.MODEL,
            "minWorkers": place.workers,
            "maxWorkers": place.workers,
            "batchSize": 64,
            "maxBatchDelay": 1,
            "responseTimeout": 60,
        }
        settings = {
            "inference_address": f"http://127.0.0.1:{place.port}",
            "management_address": f"http://127.0.0.1:{free_port()}",
            "metrics_address": f"http://127.0.0.1:{free_port()}",
            "disable_token_authorization": "true",
            "enable_envvars_config": "false",
            "model_store": archive.parent,
            "load_models": oip.MODEL,
            "models": json.dumps({oip.MODEL: {"1": served}}),
        }
        config = place.folder / "config.properties"
        config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        command = [
            *(str(place.python.with_name("torchserve")), "--start", "--foreground"),
            *("--ts-config", str(config), "--disable-token-auth"),
        ]
        logs = {"LOG_LOCATION": str(place.folder), "METRICS_LOCATION": str(place.folder)}
        environment = module(place, "torchserve", PYTHONPATH=str(ROOT), **logs).environment
        return Start(command, environment)

    def asks(self, window: Floats) -> dict[str, Ask]:
        return {"JSON": plain.json_ask(PATH, window), "binary": plain.npy_ask(PATH, window)}
