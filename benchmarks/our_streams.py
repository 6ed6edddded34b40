"""Streams of this service by websocket, for the client's process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import time
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from benchmarks.client import Asker
from benchmarks.server import ServerError
from benchmarks.signals import signal

BINARY = "larnn.f32.v1"
PATIENCE = 20.0
AT_ONCE = 64
"""Handshakes side by side: more than a listener's backlog would be refused."""


@dataclass(frozen=True)
class OurStreams:
    """Websockets on one model, a chunk a message."""

    port: int
    model: str
    streams: int
    steps: int
    binary: bool
    channels: int = 9

    async def open(self) -> list[Asker]:
        return list(await self.websockets())

    async def websockets(self) -> list[Websocket]:
        """All of them, opened and told so."""
        url = f"ws://127.0.0.1:{self.port}/stream?model={self.model}"
        headers = {"Sec-WebSocket-Protocol": BINARY} if self.binary else {}
        chunk = signal(self.steps, self.channels)
        free = asyncio.Semaphore(AT_ONCE)

        async def open_one() -> Websocket:
            async with free:
                _, socket = await ws_connect(
                    lambda: Websocket(chunk, self.binary), url, extra_headers=headers
                )
                assert isinstance(socket, Websocket)
                await socket.opened
                return socket

        return await asyncio.gather(*(open_one() for _ in range(self.streams)))


class Websocket(WSListener):
    """One stream, which sends a chunk when it is told to and takes the time of each answer."""

    def __init__(self, chunk: NDArray[np.float32], binary: bool) -> None:
        super().__init__()
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.latencies: list[float] = []
        self._binary, self._steps, self._offset = binary, len(chunk), 0
        self._data = chunk.tobytes() if binary else json.dumps(chunk.tolist()).encode()
        self._sent: deque[float] = deque()
        self._done: asyncio.Future[list[float]] | None = None
        self._ending = False
        self.is_open = True
        self.settled = asyncio.Event()
        """Whether every chunk has its answer."""

    def send_chunk(self, since: float | None = None) -> None:
        """The next chunk; its latency counts from now, or from when it was due."""
        self._sent.append(time.perf_counter() if since is None else since)
        self.settled.clear()
        if self._binary:
            frame = struct.pack("<Q", self._offset) + self._data
            self._transport.send(WSMsgType.BINARY, frame)
        else:
            head = b'{"type":"chunk","offset":%d,"steps":' % self._offset
            self._transport.send(WSMsgType.TEXT, head + self._data + b"}")
        self._offset += self._steps

    async def pace(self, first: float, every: float, chunks: int) -> None:
        """Send each chunk when it is due, whether the last one is answered or not."""
        for number in range(chunks):
            due = first + number * every
            await asyncio.sleep(due - time.perf_counter())
            self.send_chunk(since=due)

    @property
    def waits(self) -> list[float]:
        """Seconds that the chunks without an answer have waited."""
        now = time.perf_counter()
        return [now - since for since in self._sent]

    async def repeat(self, times: int, until: float = float("inf")) -> list[float]:
        self._done = asyncio.get_running_loop().create_future()
        self.latencies, self._times, self._until = [], times, until
        self.send_chunk()
        return await self._done

    async def close(self) -> None:
        """End the stream, so that the service keeps nothing of it."""
        self._ending, self._done = True, None
        self._transport.send(WSMsgType.TEXT, b'{"type":"end"}')
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._transport.wait_disconnected(), PATIENCE)
        self._transport.disconnect()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.is_open = False
        self._fail("the server closed a stream")

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        now = time.perf_counter()
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            return transport.disconnect()
        if self._ending or frame.msg_type != WSMsgType.TEXT:
            return None
        text = frame.get_payload_as_bytes()
        if text.startswith(b'{"type":"prediction"'):
            return self._on_answer(now)
        if text.startswith(b'{"type":"opened"'):
            return self.opened.set_result(None)
        return self._fail(f"the server answered {text[:500]!r}")

    def _on_answer(self, now: float) -> None:
        self.latencies.append(now - self._sent.popleft())
        if not self._sent:
            self.settled.set()
        if self._done is None or self._done.done():
            return
        if len(self.latencies) < self._times and now < self._until:
            self.send_chunk()
        else:
            self._done.set_result(self.latencies)

    def _fail(self, text: str) -> None:
        for future in (self.opened, self._done):
            if future is not None and not future.done():
                future.set_exception(ServerError(text))
