"""A light HTTP client, run in a process of its own so that its cost is told apart."""

from __future__ import annotations

import asyncio
import re
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from benchmarks.server import Server, cpu_seconds

WARM_UP = 3


@dataclass(frozen=True)
class Load:
    """What came of it. CPU times are those of the measured interval."""

    seconds: float
    server_cpu: float
    client_cpu: float
    latencies: list[float]


def load(
    server: Server, body: bytes, content_type: str, connections: int, seconds: float, requests: int
) -> Load:
    """POST the body to /classify over so many kept connections, until time or requests are up."""
    head = (
        f"POST /classify HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    arguments = (server, head.encode() + body, connections, seconds, requests)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_run, *arguments).result()


def _run(server: Server, request: bytes, connections: int, seconds: float, requests: int) -> Load:
    return asyncio.run(_measure(server, request, connections, seconds, requests))


async def _measure(
    server: Server, request: bytes, connections: int, seconds: float, requests: int
) -> Load:
    kept = [Connection(server.port) for _ in range(connections)]
    await asyncio.gather(*(_repeat(connection, request, WARM_UP) for connection in kept))
    server_cpu, client_cpu = cpu_seconds(server.pid), time.process_time()
    start = time.perf_counter()
    each = -(-requests // connections)
    latencies = await asyncio.gather(
        *(_repeat(connection, request, each, start + seconds) for connection in kept)
    )
    result = Load(
        time.perf_counter() - start,
        cpu_seconds(server.pid) - server_cpu,
        time.process_time() - client_cpu,
        sorted(latency for part in latencies for latency in part),
    )
    for connection in kept:
        connection.close()
    return result


async def _repeat(
    connection: Connection, request: bytes, times: int, until: float = float("inf")
) -> list[float]:
    """Ask, wait for the answer, ask again. At least once."""
    latencies: list[float] = []
    while not latencies or (len(latencies) < times and time.perf_counter() < until):
        start = time.perf_counter()
        await connection.ask(request)
        latencies.append(time.perf_counter() - start)
    return latencies


class Connection:
    """One kept connection, opened anew where the server has closed it meanwhile."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> None:
        """Send the request and read its whole answer, which must be a 200."""
        if self._streams is not None:
            try:
                return await self._exchange(*self._streams, request)
            except (ConnectionError, asyncio.IncompleteReadError):
                self.close()
        self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        await self._exchange(*self._streams, request)

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
    ) -> None:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        answer = await reader.readexactly(int(length[1]) if length else 0)
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"the service answered {(head + answer).decode()}")

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
