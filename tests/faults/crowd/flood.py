"""Clients that behave badly: they send ahead, or speak on, and read nothing. In their process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import struct
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier, Event

from benchmarks.signals import signal

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
AT_ONCE = 32
"""Chunks that a flooding client writes at once: more than the service takes of it meanwhile."""
ROOM = 4096
"""Bytes that such a client has for answers."""


@dataclass(frozen=True)
class Misbehaved:
    """What came of such clients."""

    sent: int
    """Chunks, all together, that their sockets took."""
    gone: int
    """Clients that the service let go."""


def misbehave(
    port: int, clients: int, pause: float, steps: int, ready: Barrier, stop: Event
) -> Misbehaved:
    """Clients that send a chunk each `pause` seconds and read nothing, until told to stop."""
    if not pause:  # what a flood costs itself is not the service's
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        os.nice(19)
    return asyncio.run(_all(port, clients, pause, steps, ready, stop))


async def _all(
    port: int, clients: int, pause: float, steps: int, ready: Barrier, stop: Event
) -> Misbehaved:
    path = "/stream?emit=every&logits=true" if pause else "/stream"
    lines = [Bad(await _open(port, path), steps) for _ in range(clients)]
    await asyncio.to_thread(ready.wait)
    tasks = [
        asyncio.create_task(line.speak(pause, pause * number / clients))
        for number, line in enumerate(lines)
    ]
    await asyncio.to_thread(stop.wait)
    gone = sum(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return Misbehaved(sum(line.offset for line in lines) // steps, gone)


async def _open(port: int, path: str) -> asyncio.StreamWriter:
    """Opened, and from then on nothing is read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=ROOM)
    writer.write(HANDSHAKE.format(path=path).encode())
    await reader.readuntil(b"\r\n\r\n")
    await reader.read(1)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    return writer


class Bad:
    """One of them, on one stream."""

    def __init__(self, writer: asyncio.StreamWriter, steps: int) -> None:
        self._writer, self._steps = writer, steps
        self._rest = b',"steps":' + json.dumps(signal(steps).tolist()).encode() + b"}"
        self.offset = 0

    async def speak(self, pause: float, first: float) -> None:
        """Chunk after chunk, the first after so many seconds, until the connection is reset."""
        await asyncio.sleep(first)
        with contextlib.suppress(OSError):
            while not self._writer.transport.is_closing():
                for _ in range(1 if pause else AT_ONCE):
                    head = b'{"type":"chunk","offset":%d' % self.offset
                    self._writer.write(_frame(head + self._rest))
                    self.offset += self._steps
                await self._writer.drain()
                await asyncio.sleep(pause)


def _frame(text: bytes) -> bytes:
    """A client's, masked with zeros: what a flood costs its sender is not measured."""
    return struct.pack(">BBHI", 0x81, 0xFE, len(text), 0) + text
