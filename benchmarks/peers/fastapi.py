"""FastAPI as most would write it: one run for each request, in its pool of threads."""

from __future__ import annotations

from benchmarks.peers import plain
from benchmarks.peers.base import Ask, Floats, Peer, Place, Start, module


class FastAPI(Peer):
    name = "fastapi"
    requirements = ()
    health = "/health"

    def start(self, place: Place) -> Start:
        return module(place, "fastapi")

    def asks(self, window: Floats) -> dict[str, Ask]:
        return {"JSON": plain.json_ask("/json", window), "binary": plain.npy_ask("/npy", window)}
