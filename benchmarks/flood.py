"""Clients that behave badly: they send ahead, or speak on, and read nothing. In their process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import struct
from multiprocessing.synchronize import Barrier, Event

from benchmarks.standin import signal

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
AT_ONCE = 32
"""Chunks that a flooding client writes at once."""
ROOM = 4096
"""Bytes that such a client has for answers."""


def misbehave(
    port: int, clients: int, pause: float, steps: int, ready: Barrier, stop: Event
) -> int:
    """Clients that send a chunk each `pause` seconds and read nothing, until told to stop; how many
    of them the service has let go."""
    if not pause:  # what a flood costs itself is not the service's
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        os.nice(19)
    return asyncio.run(_all(port, clients, pause, steps, ready, stop))


async def _all(
    port: int, clients: int, pause: float, steps: int, ready: Barrier, stop: Event
) -> int:
    path = "/stream?emit=every&logits=true" if pause else "/stream"
    lines = [await _open(port, path) for _ in range(clients)]
    await asyncio.to_thread(ready.wait)
    tasks = [
        asyncio.create_task(_send(line, steps, pause, pause * number / clients))
        for number, line in enumerate(lines)
    ]
    await asyncio.to_thread(stop.wait)
    gone = sum(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return gone


async def _open(port: int, path: str) -> asyncio.StreamWriter:
    """Opened, and from then on nothing is read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=ROOM)
    writer.write(HANDSHAKE.format(path=path).encode())
    await reader.readuntil(b"\r\n\r\n")
    await reader.read(1)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    return writer


async def _send(writer: asyncio.StreamWriter, steps: int, pause: float, first: float) -> None:
    """Chunk after chunk, the first after so many seconds, until the connection is reset."""
    rest = b',"steps":' + json.dumps(signal(steps).tolist()).encode() + b"}"
    at_once, offset = 1 if pause else AT_ONCE, 0
    await asyncio.sleep(first)
    with contextlib.suppress(OSError):
        while not writer.transport.is_closing():
            offsets = range(offset, offset + at_once * steps, steps)
            writer.write(
                b"".join(_frame(b'{"type":"chunk","offset":%d' % o + rest) for o in offsets)
            )
            await writer.drain()
            await asyncio.sleep(pause)
            offset = offsets.stop


def _frame(text: bytes) -> bytes:
    """A client's, masked with zeros: what a flood costs its sender is not measured."""
    return struct.pack(">BBHI", 0x81, 0xFE, len(text), 0) + text
