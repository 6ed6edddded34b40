"""A light HTTP client, run in a process of its own so that its cost is told apart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Protocol, cast

import httptools
import uvloop

from benchmarks.server import Server, ServerError, cpu_seconds

WARM_UP = 3
GRACE = 30.0


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


class Asker(Protocol):
    """One client's conversation, which asks again when it has its answer."""

    async def repeat(self, times: int, until: float = float("inf")) -> list[float]:
        """Seconds from each question to its answer; one at least."""
        ...

    async def close(self) -> None: ...


class Askers(Protocol):
    """Picklable: the conversations are opened in the client's process."""

    async def open(self) -> list[Asker]: ...


@dataclass(frozen=True)
class SameRequest:
    """One request over and over, on so many kept connections."""

    port: int
    request: bytes
    connections: int

    async def open(self) -> list[Asker]:
        return [
            await Connection.open(self.port, lambda: self.request) for _ in range(self.connections)
        ]


def load(
    server: Server, askers: Askers, seconds: float, requests: int, warm_up: int = WARM_UP
) -> Load:
    """Let all of them ask until time or requests, of all together, are up. Raises ServerError.

    Each asks `warm_up` times before, which does not count.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_run, server, askers, seconds, requests, warm_up).result()


def _run(server: Server, askers: Askers, seconds: float, requests: int, warm_up: int) -> Load:
    async def bounded() -> Load:
        try:
            return await asyncio.wait_for(
                _measure(server, askers, seconds, requests, warm_up), GRACE + seconds
            )
        except TimeoutError:
            raise ServerError(f"no answer within {GRACE:g} s") from None

    return uvloop.run(bounded())


async def _measure(
    server: Server, askers: Askers, seconds: float, requests: int, warm_up: int
) -> Load:
    opened = await askers.open()
    await asyncio.gather(*(asker.repeat(warm_up) for asker in opened))
    server_cpu, client_cpu = cpu_seconds(server.pid), time.process_time()
    start = time.perf_counter()
    each = -(-requests // len(opened))
    parts = await asyncio.gather(*(asker.repeat(each, start + seconds) for asker in opened))
    result = Load(
        time.perf_counter() - start,
        cpu_seconds(server.pid) - server_cpu,
        time.process_time() - client_cpu,
        sorted(latency for part in parts for latency in part),
    )
    await asyncio.gather(*(asker.close() for asker in opened))
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

    async def close(self) -> None:
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
