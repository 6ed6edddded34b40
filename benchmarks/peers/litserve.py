"""LitServe: a worker process for each core, its own batching."""

from __future__ import annotations

from benchmarks.peers import plain
from benchmarks.peers.base import ONNXRUNTIME, Ask, Floats, Peer, Place, Start, module


class LitServe(Peer):
    name = "litserve"
    requirements = ("litserve==0.2.19", ONNXRUNTIME)
    health = "/health"

    def start(self, place: Place) -> Start:
        return module(place, "litserve")

    def asks(self, window: Floats) -> dict[str, Ask]:
        return {"JSON": plain.json_ask("/predict", window)}
