"""The ways to ask the service for a prediction, each as the load client asks it over and over."""

from __future__ import annotations

import json

from benchmarks.client import Askers, SameRequest, post
from benchmarks.http_streams import HttpStreams
from benchmarks.our_streams import OurStreams
from benchmarks.peers.oip import binary_body
from benchmarks.peers.plain import npy
from benchmarks.signals import signal

WINDOW, CHUNK = 128, 10
"""Steps of a request by itself, and of a part of a stream."""
WAYS = ("classify-npy", "classify-json", "chunks-binary", "chunks-json", "v2-binary", "steps-json")


def asked(way: str, port: int, model: str, connections: int) -> Askers:
    """So many clients that ask in this way, each on one kept connection.

    The model must be the service's default one, which a classify request means by naming none.
    """
    if way.startswith("chunks"):
        return OurStreams(port, model, connections, CHUNK, way == "chunks-binary")
    if way == "steps-json":
        return HttpStreams(port, model, connections, CHUNK)
    return SameRequest(port, _request(way, port, model), connections)


def _request(way: str, port: int, model: str) -> bytes:
    window = signal(WINDOW)
    if way == "v2-binary":
        tensor = {"name": "x", "datatype": "FP32", "shape": [1, *window.shape]}
        return post(port, f"/v2/models/{model}/infer", *binary_body(tensor, window))
    if way == "classify-npy":
        return post(port, "/classify", npy(window), {"Content-Type": "application/x-npy"})
    body = json.dumps({"sequences": [window.tolist()]}).encode()
    return post(port, "/classify", body, {"Content-Type": "application/json"})
