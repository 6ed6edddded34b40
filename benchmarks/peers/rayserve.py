"""Ray Serve: a replica for each core, its own batching."""

from __future__ import annotations

from benchmarks.peers import plain
from benchmarks.peers.base import ONNXRUNTIME, Ask, Floats, Peer, Place, Start, module


class RayServe(Peer):
    name = "rayserve"
    requirements = ("ray[serve]==2.60.0", ONNXRUNTIME)
    health = "/-/healthz"

    def start(self, place: Place) -> Start:
        return module(place, "rayserve")

    def asks(self, window: Floats) -> dict[str, Ask]:
        return {
            "JSON": plain.json_ask("/predict", window),
            "binary": plain.npy_ask("/predict", window),
        }
