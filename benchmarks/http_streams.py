"""Streams of this service by HTTP, a request a chunk, for the client's process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import httpx

from benchmarks.client import Asker, Connection, post
from benchmarks.peers.asks import JSON
from benchmarks.server import ServerError
from benchmarks.signals import signal


@dataclass(frozen=True)
class HttpStreams:
    """Streams on one model, each on a kept connection of its own; they end with the server."""

    port: int
    model: str
    streams: int
    steps: int

    async def open(self) -> list[Asker]:
        steps = json.dumps(signal(self.steps).tolist()).encode()
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            return [
                await Connection.open(
                    self.port, _chunks(self.port, await self._opened(client), steps, self.steps)
                )
                for _ in range(self.streams)
            ]

    async def _opened(self, client: httpx.AsyncClient) -> str:
        """The name of a new stream. Raises ServerError."""
        url = f"http://127.0.0.1:{self.port}/streams"
        answer = await client.post(url, json={"model": self.model})
        if answer.status_code != 201:
            raise ServerError(f"no stream: {answer.status_code} {answer.text[:500]}")
        name: str = answer.json()["stream"]
        return name


def _chunks(port: int, stream: str, steps: bytes, size: int) -> Callable[[], bytes]:
    """Gives one request after the other: the same steps, at the offset that comes next."""
    offsets = count(step=size)
    before, _, after = post(port, f"/streams/{stream}/steps", b"", JSON).rpartition(b"0")

    def next_request() -> bytes:
        body = b'{"offset":%d,"steps":%b}' % (next(offsets), steps)
        return b"%b%d%b%b" % (before, len(body), after, body)

    return next_request
