"""This service: as many processes as there are cores, as the others have them; the same without its
native operators; and one process."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from benchmarks.peers.asks import JSON, NPY, npy
from benchmarks.peers.base import Ask, Floats, Peer, Place, Start
from benchmarks.server import NO_OPERATORS, together
from benchmarks.standin import NAME

PATH = "/classify"


def json_body(window: Floats) -> bytes:
    return json.dumps({"sequences": [window.tolist()]}).encode()


def _logits(answer: bytes) -> Floats:
    [prediction] = json.loads(answer)["predictions"]
    return np.log(np.array(list(prediction["probabilities"].values()), dtype=np.float32))


class Ours(Peer):
    name = "ours"
    health = "/readyz"
    asks = {
        "JSON": lambda window: Ask(PATH, JSON, json_body(window), _logits),
        "binary": lambda window: Ask(PATH, NPY, npy(window), _logits),
    }
    more: Mapping[str, str] = {}
    """More of the environment."""

    def start(self, place: Place) -> Start:
        processes = self._processes(place)
        settings = {
            "PORT": place.port,
            "MODELS": place.standin.models.absolute(),
            "MODEL": NAME,
            "CONCURRENCY": place.workers // processes,
            **together(processes, place.folder),
        }
        environment = {f"LARNN_{name}": str(value) for name, value in settings.items()}
        return Start([str(place.python), "-m", "service"], {**environment, **self.more})

    def _processes(self, place: Place) -> int:
        return place.workers


class WithoutOperator(Ours):
    name = "ours, no operator"
    more = NO_OPERATORS


class OneProcess(Ours):
    name = "ours, one process"

    def _processes(self, place: Place) -> int:
        return 1
