"""This service: as many processes as there are cores, as the others have them; the same without its
native operators; and one process."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from benchmarks.peers.base import Ask, Floats, Peer, Place, Start
from benchmarks.peers.plain import npy
from benchmarks.server import NO_OPERATORS, together
from benchmarks.standin import NAME

PATH = "/classify"


class Ours(Peer):
    name = "ours"
    health = "/readyz"
    environment_more: Mapping[str, str] = {}

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
        environment |= self.environment_more
        return Start([str(place.python), "-m", "service"], environment)

    def _processes(self, place: Place) -> int:
        return place.workers

    def asks(self, window: Floats) -> dict[str, Ask]:
        body = json.dumps({"sequences": [window.tolist()]}).encode()
        return {
            "JSON": Ask(PATH, {"Content-Type": "application/json"}, body, _logits),
            "binary": Ask(PATH, {"Content-Type": "application/x-npy"}, npy(window), _logits),
        }


class WithoutOperator(Ours):
    name = "ours, no operator"
    environment_more = NO_OPERATORS


class OneProcess(Ours):
    name = "ours, one process"

    def _processes(self, place: Place) -> int:
        return 1


def _logits(answer: bytes) -> Floats:
    [prediction] = json.loads(answer)["predictions"]
    return np.log(np.array(list(prediction["probabilities"].values()), dtype=np.float32))
