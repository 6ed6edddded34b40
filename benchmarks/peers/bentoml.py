"""BentoML: a worker process for each core, its own adaptive batching."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from benchmarks.peers.asks import plain_json
from benchmarks.peers.base import ONNXRUNTIME, ROOT, SERVING, Ask, Floats, Peer, Place, Start


def _ask(window: Floats) -> Ask:
    ask = plain_json("/predict")(window)
    return replace(ask, logits=lambda answer: np.array(json.loads(answer)[0]))


class BentoML(Peer):
    name = "bentoml"
    requirements = ("bentoml==1.4.33", ONNXRUNTIME)
    health = "/readyz"
    asks = {"JSON": _ask}

    def start(self, place: Place) -> Start:
        command = [
            *(str(place.python.with_name("bentoml")), "serve", "benchmarks.peers.bentoml:Window"),
            *("--host", "127.0.0.1", "--port", str(place.port), "--working-dir", str(ROOT)),
        ]
        home = {"BENTOML_HOME": str(place.folder), "BENTOML_DO_NOT_TRACK": "true"}
        return Start(command, place.module(self.name).environment | home)


if SERVING == "bentoml":
    import bentoml

    from benchmarks.peers.graph import WORKERS, Graph

    @bentoml.service(workers=WORKERS, traffic={"timeout": 60, "max_concurrency": 1000})
    class Window:
        def __init__(self) -> None:
            self.graph = Graph()

        @bentoml.api(batchable=True, max_batch_size=64)
        def predict(self, x: np.ndarray) -> np.ndarray:
            return self.graph.run(x.astype(np.float32, copy=False))
