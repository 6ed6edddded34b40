"""Small frames: pings, their answers, and messages by the thousand."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import threading
from functools import partial
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState
from websockets.asyncio.client import connect

from larnn_service.admission.byte_budget import WaitingBytes
from larnn_service.api.websocket import bounded

PIECE = 2**16
"""Bytes that the service reads at once."""
FLOOD = 4 * PIECE
PING_FRAME = struct.pack(">BBI", 0x89, 0x80, 0)
SMALL_FRAME = struct.pack(">BBIB", 0x81, 0x81, 0, ord("a"))
PING = 0.5
"""Seconds between two pings, and until one that is not answered is looked after."""
MESSAGES = 2


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that has each message in work for several pings."""
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] == "websocket.receive":
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 3 * PING)
        await send({"type": "websocket.send", "text": "answered"})


async def serve(app: Any = slow, kind: Any = None, ping: float = PING) -> asyncio.Server:
    config = uvicorn.Config(app, ws_ping_interval=ping, ws_ping_timeout=ping, log_config=None)
    config.load()
    protocol: Any = kind or bounded(60, WaitingBytes(2**20), 2**20)
    made = partial(protocol, config, ServerState(), {})
    return await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)


async def test_who_sends_ahead_is_alive_behind_what_it_sent() -> None:
    async with await serve() as server:
        host, port = server.sockets[0].getsockname()
        async with connect(f"ws://{host}:{port}", compression=None) as client:
            for _ in range(MESSAGES):
                await client.send("more")
            assert [await client.recv() for _ in range(MESSAGES)] == ["answered"] * MESSAGES


@pytest.mark.parametrize(("frame", "most"), [(PING_FRAME, PIECE // 20), (SMALL_FRAME, 2)])
async def test_a_flood_of_small_frames_leaves_others_their_turns(frame: bytes, most: int) -> None:
    """So many at the most are worked off before anybody else has a turn."""
    done = 0

    class Counting(bounded(60, WaitingBytes(2**20), 2**20)):  # type: ignore[misc]
        def handle_ping(self) -> None:
            nonlocal done
            done += 1
            super().handle_ping()

    async def quick(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal done
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            done += 1
            await send({"type": "websocket.send", "text": "a"})

    async with await serve(quick, Counting, ping=60) as server:
        host, port = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(handshake())
        await reader.readuntil(b"\r\n\r\n")
        count = FLOOD // len(frame)
        writer.write(frame * count)
        unread = asyncio.create_task(drained(reader))
        worst = 0
        while done < count:
            before = done
            await asyncio.sleep(0)
            worst = max(worst, done - before)
        assert 0 < worst <= most
        writer.close()
        await unread


async def drained(reader: asyncio.StreamReader) -> None:
    while await reader.read(PIECE):
        pass


def handshake() -> bytes:
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket"
    return f"GET / HTTP/1.1\r\nHost: larnn\r\n{upgrade}\r\n{key}\r\n\r\n".encode()


async def test_a_loop_that_was_held_does_not_blame_its_clients() -> None:
    """Whose answers it could not hear."""

    class Held(bounded(60, WaitingBytes(2**20), 2**20)):  # type: ignore[misc]
        held = False

        def send_keepalive_ping(self) -> None:
            super().send_keepalive_ping()
            if not Held.held:
                Held.held = True
                threading.Event().wait(2 * PING)

    async with await serve(kind=Held) as server:
        host, port = server.sockets[0].getsockname()
        async with connect(f"ws://{host}:{port}", compression=None) as client:
            await client.send("more")
            assert await client.recv() == "answered"
    assert Held.held


async def test_who_answers_no_ping_and_sends_nothing_is_let_go() -> None:
    async with await serve() as server:
        host, port = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(handshake())
        heard = await reader.read()  # to its end
        assert b"keepalive ping timeout" in heard
        writer.close()
