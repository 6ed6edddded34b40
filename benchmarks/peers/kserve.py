"""KServe's Python server: a process for each core; it leaves batching to a sidecar."""

from __future__ import annotations

from benchmarks.peers import oip
from benchmarks.peers.base import ONNXRUNTIME, Ask, Floats, Peer, Place, Start, module


class KServe(Peer):
    name = "kserve"
    requirements = ("kserve==0.21.0", ONNXRUNTIME)
    health = f"/v2/models/{oip.MODEL}/ready"

    def start(self, place: Place) -> Start:
        return module(place, "kserve")

    def asks(self, window: Floats) -> dict[str, Ask]:
        return {"JSON": oip.json_ask(window), "binary": oip.binary_ask(window)}
