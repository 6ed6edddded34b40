"""A light HTTP client, run in a process of its own so that its cost is told apart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import cast

import httptools
import uvloop

from benchmarks.server import Server, ServerError, cpu_seconds

WARM_UP = 3


@dataclass(frozen=True)
class Load:
    """What came of it. CPU times are those of the measured interval."""

    seconds: float
    server_cpu: float
    client_cpu: float
    latencies: list[float]


def post(port: int, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """A whole request as it goes over the wire."""
    fields = {"Host": f"127.0.0.1:{port}", **headers, "Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {path} HTTP/1.1\r\n{lines}\r\n".encode() + body


def load(server: Server, request: bytes, connections: int, seconds: float, requests: int) -> Load:
    """Send the request over so many kept connections, until time or requests are up."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_run, server, request, connections, seconds, requests).result()


def _run(server: Server, request: bytes, connections: int, seconds: float, requests: int) -> Load:
    return uvloop.run(_measure(server, request, connections, seconds, requests))


async def _measure(
    server: Server, request: bytes, connections: int, seconds: float, requests: int
) -> Load:
    kept = [await Connection.open(server.port, lambda: request) for _ in range(connections)]
    await asyncio.gather(*(connection.repeat(WARM_UP) for connection in kept))
    server_cpu, client_cpu = cpu_seconds(server.pid), time.process_time()
    start = time.perf_counter()
    each = -(-requests // connections)
    parts = await asyncio.gather(*(connection.repeat(each, start + seconds) for connection in kept))
    result = Load(
        time.perf_counter() - start,
        cpu_seconds(server.pid) - server_cpu,
        time.process_time() - client_cpu,
        sorted(latency for part in parts for latency in part),
    )
    for connection in kept:
        connection.close()
    return result


class Connection(asyncio.Protocol):
    """One kept connection: ask, wait for the answer, which must be a 200, ask again."""

    def __init__(self, next_request: Callable[[], bytes]) -> None:
        self._next_request = next_request
        self._done: asyncio.Future[list[float]] | None = None

    @classmethod
    async def open(cls, port: int, next_request: Callable[[], bytes]) -> Connection:
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(lambda: cls(next_request), "127.0.0.1", port))[1]

    async def repeat(self, times: int, until: float = float("inf")) -> list[float]:
        """Seconds from each request to the end of its answer; one at least."""
        self._done = asyncio.get_running_loop().create_future()
        self._latencies: list[float] = []
        self._times, self._until = times, until
        self._ask()
        return await self._done

    def close(self) -> None:
        self._done = None
        self._transport.close()

    def _ask(self) -> None:
        self._answer = b""
        request = self._next_request()
        self._start = time.perf_counter()
        self._transport.write(request)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpResponseParser(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._fail(ServerError("the server closed a kept connection"))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        self._answer += part

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        if (status := self._parser.get_status_code()) != 200:
            text = self._answer[:1000].decode(errors="replace")
            return self._fail(ServerError(f"the server answered {status}: {text}"))
        self._latencies.append(now - self._start)
        if len(self._latencies) < self._times and now < self._until:
            return self._ask()
        if self._done is not None and not self._done.done():
            self._done.set_result(self._latencies)

    def _fail(self, error: Exception) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(error)
