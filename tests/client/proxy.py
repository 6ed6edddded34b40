"""A real TCP proxy with faults: it cuts, swallows, delays and refuses."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

PIECE = 64


@dataclass(frozen=True)
class Fault:
    """What happens to one connection. None lets everything through."""

    up: int | None = None
    """Bytes to the service, after which the connection is cut."""
    down: int | None = None
    """Bytes to the client, after which it is cut, or all later ones are swallowed."""
    at_down: Literal["cut", "swallow"] = "cut"
    delay: float = 0.0
    """Seconds before each piece, in both directions."""
    refuse: bool = False
    late: bool = False
    """What the client sends reaches the service at `release`, though the client has gone."""


HEALTHY = Fault()


class Proxy:
    """Passes on what comes to `url`. `faults` holds one for each connection to come."""

    def __init__(self, upstream: str) -> None:
        self.lead_to(upstream)
        self.faults: deque[Fault] = deque()
        self.connections = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._muted: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self._late_opened = threading.Event()

    def lead_to(self, upstream: str) -> None:
        """Where connections from now on go."""
        address = urlsplit(upstream)
        self._upstream = (address.hostname, address.port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def cut(self) -> None:
        """Cut every connection now."""
        self._loop.call_soon_threadsafe(self._cut)

    def mute(self) -> None:
        """Swallow all that the service says on the connections of now."""
        self._loop.call_soon_threadsafe(lambda: self._muted.update(self._writers))

    def release(self) -> None:
        """Let a late connection reach the service, and wait until that has opened the stream."""
        self._loop.call_soon_threadsafe(self._released.set)
        assert self._late_opened.wait(30), "the late connection opened nothing"

    def run(self) -> None:
        asyncio.run(self._serve())

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)

    def wait_ready(self) -> None:
        assert self._ready.wait(30), "the proxy did not come up"

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        self._released = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopping.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Whatever becomes of the connection, its socket is closed: also where the end comes before
        its task has begun."""
        task = asyncio.create_task(self._connection(client, to_client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: to_client.transport.abort())
        if self._stopping.is_set():
            task.cancel()

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _connection(
        self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        fault = self.faults.popleft() if self.faults else HEALTHY
        if fault.refuse:
            return to_client.transport.abort()
        if fault.late:
            return await self._late(client, to_client)
        try:
            service, to_service = await asyncio.open_connection(*self._upstream)
        except ConnectionRefusedError:  # nobody is there, between two services
            return to_client.transport.abort()
        both = {to_client, to_service}
        self._writers |= both
        up = self._pass(client, to_service, fault.up, fault.delay, swallow=False)
        swallow = fault.at_down == "swallow"
        down = self._pass(service, to_client, fault.down, fault.delay, swallow=swallow)
        ways = {asyncio.ensure_future(up), asyncio.ensure_future(down)}
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            self._forget(both)

    def _forget(self, writers: set[asyncio.StreamWriter]) -> None:
        self._writers -= writers
        for writer in writers:
            writer.transport.abort()

    async def _late(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        handshake = await client.readuntil(b"\r\n\r\n")
        await self._released.wait()
        service, to_service = await asyncio.open_connection(*self._upstream)
        both = {to_client, to_service}
        self._writers |= both
        try:
            to_service.write(handshake)
            await service.readuntil(b'"opened"')
            self._late_opened.set()
            await service.read()  # until the service closes it as moved
        finally:
            self._forget(both)

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        limit: int | None,
        delay: float,
        *,
        swallow: bool,
    ) -> None:
        """Until one side closes, or the limit where it cuts; pieces end exactly there."""
        passed = 0
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(PIECE if delay or limit is not None else 65_536):
                if delay:
                    await asyncio.sleep(delay)
                if writer in self._muted:
                    continue
                if limit is not None and passed + len(piece) >= limit:
                    writer.write(piece[: max(limit - passed, 0)])
                    await writer.drain()
                    if not swallow:
                        return
                else:
                    writer.write(piece)
                    await writer.drain()
                passed += len(piece)


@contextlib.contextmanager
def proxied(upstream: str) -> Iterator[Proxy]:
    """The proxy in a thread of its own."""
    proxy = Proxy(upstream)
    thread = threading.Thread(target=proxy.run)
    thread.start()
    proxy.wait_ready()
    try:
        yield proxy
    finally:
        proxy.stop()
        thread.join(30)
