"""The ways to ask the service for a prediction, each as the load client asks it over and over."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from benchmarks.client import Askers, SameRequest, post
from benchmarks.http_streams import HttpStreams
from benchmarks.our_streams import OurStreams
from benchmarks.peers.asks import JSON, NPY, binary_body, npy
from benchmarks.peers.ours import json_body
from benchmarks.signals import signal

WINDOW, CHUNK = 128, 10
"""Steps of a request by itself, and of a part of a stream."""
WAYS = ("classify-npy", "classify-json", "chunks-binary", "chunks-json", "v2-binary", "steps-json")


def chosen(only: list[str] | None, rows: Iterable[str]) -> list[str]:
    """The rows that are asked for, in their order; all without any. Raises typer.BadParameter."""
    names = list(rows)
    for name in only or []:
        if name not in names:
            raise typer.BadParameter(f"{name} is no row; there are: {', '.join(names)}")
    return [name for name in names if not only or name in only]


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
        return post(port, f"/v2/models/{model}/infer", *binary_body(window))
    if way == "classify-npy":
        return post(port, "/classify", npy(window), NPY)
    return post(port, "/classify", json_body(window), JSON)
