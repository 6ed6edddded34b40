"""Who sends ahead answers a ping behind what it has sent, and is not taken for dead."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState
from websockets.asyncio.client import connect

from service.api.websocket import bounded
from service.engine.waiting_bytes import WaitingBytes

PING = 0.1
"""Seconds between two pings, and until one that is not answered is looked after."""
MESSAGES = 4


async def slow(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that has each message in work for several pings."""
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] == "websocket.receive":
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 4 * PING)
        await send({"type": "websocket.send", "text": "answered"})


async def serve() -> asyncio.Server:
    config = uvicorn.Config(slow, ws_ping_interval=PING, ws_ping_timeout=PING, log_config=None)
    config.load()
    protocol: Any = bounded(60, WaitingBytes(2**20))
    made = partial(protocol, config, ServerState(), {})
    return await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)


async def test_who_sends_ahead_is_alive_behind_what_it_sent() -> None:
    async with await serve() as server:
        host, port = server.sockets[0].getsockname()
        async with connect(f"ws://{host}:{port}", compression=None) as client:
            for _ in range(MESSAGES):
                await client.send("more")
            assert [await client.recv() for _ in range(MESSAGES)] == ["answered"] * MESSAGES


async def test_who_answers_no_ping_and_sends_nothing_is_let_go() -> None:
    async with await serve() as server:
        host, port = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(host, port)
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"
        upgrade = "Connection: Upgrade\r\nUpgrade: websocket"
        writer.write(f"GET / HTTP/1.1\r\nHost: larnn\r\n{upgrade}\r\n{key}\r\n\r\n".encode())
        heard = await reader.read()  # to its end
        assert b"keepalive ping timeout" in heard
        writer.close()
