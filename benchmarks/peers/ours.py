"""This service."""

from __future__ import annotations

import json

import numpy as np

from benchmarks.peers.base import Ask, Floats, Peer, Place, Start
from benchmarks.peers.plain import npy
from benchmarks.standin import NAME

PATH = "/classify"


class Ours(Peer):
    name = "ours"
    health = "/readyz"

    def start(self, place: Place) -> Start:
        settings = {
            "PORT": place.port,
            "MODELS": place.standin.models.absolute(),
            "MODEL": NAME,
            "CONCURRENCY": place.workers,
        }
        environment = {f"LARNN_{name}": str(value) for name, value in settings.items()}
        return Start([str(place.python), "-m", "service"], environment)

    def asks(self, window: Floats) -> dict[str, Ask]:
        body = json.dumps({"sequences": [window.tolist()]}).encode()
        return {
            "JSON": Ask(PATH, {"Content-Type": "application/json"}, body, _logits),
            "binary": Ask(PATH, {"Content-Type": "application/x-npy"}, npy(window), _logits),
        }


def _logits(answer: bytes) -> Floats:
    [prediction] = json.loads(answer)["predictions"]
    return np.log(np.array(list(prediction["probabilities"].values()), dtype=np.float32))
