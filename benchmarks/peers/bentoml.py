"""BentoML: a worker process for each core, its own adaptive batching."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from benchmarks.peers import plain
from benchmarks.peers.base import ONNXRUNTIME, Ask, Floats, Peer, Place, Start, module
from benchmarks.server import ROOT


class BentoML(Peer):
    name = "bentoml"
    requirements = ("bentoml==1.4.33", ONNXRUNTIME)
    health = "/readyz"

    def start(self, place: Place) -> Start:
        started = module(place, "bentoml")
        command = [
            *(str(place.python.with_name("bentoml")), "serve", "benchmarks.servers.bentoml:Window"),
            *("--host", "127.0.0.1", "--port", str(place.port), "--working-dir", str(ROOT)),
        ]
        home = {"BENTOML_HOME": str(place.folder), "BENTOML_DO_NOT_TRACK": "true"}
        return Start(command, started.environment | home)

    def asks(self, window: Floats) -> dict[str, Ask]:
        ask = plain.json_ask("/predict", window)
        return {"JSON": replace(ask, logits=lambda answer: np.array(json.loads(answer)[0]))}
