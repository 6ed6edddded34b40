"""Small frames: pings, their answers, and messages by the thousand."""

from __future__ import annotations

import asyncio
import struct
import threading
from typing import Any

import pytest
from websockets.asyncio.client import connect

from larnn_service.admission.byte_budget import WaitingBytes
from larnn_service.transport.backlog import Backlog
from larnn_service.transport.http_connection import HttpConnection
from larnn_service.transport.hub import Hub, Limits
from larnn_service.transport.websocket_connection import FIRST_PIECE

PIECE = 2**16
FLOOD = 4 * PIECE
PING_FRAME = struct.pack(">BBI", 0x89, 0x80, 0)
EMPTY_FRAME = struct.pack(">BBI", 0x82, 0x80, 0)
SMALL_FRAME = struct.pack(">BBIB", 0x81, 0x81, 0, ord("a"))
PING = 0.5
"""Seconds between two pings, and until one that is not answered is looked after."""
MESSAGES = 2


class Session:
    """Answers each message, after a while or at once."""

    owner = ""

    def __init__(self, channel: Any, wait: float) -> None:
        self.channel, self.wait, self.handled = channel, wait, 0

    def begin(self) -> None:
        self.channel.receive_next()

    def receive(self, message: bytes, is_text: bool, ahead: bool) -> None:
        self.handled += 1
        if self.wait:
            asyncio.get_running_loop().call_later(self.wait, self.answer)
        else:
            self.answer()

    def answer(self) -> None:
        self.channel.send(b"answered")
        self.channel.receive_next()

    def gone(self) -> None:
        pass


class App:
    """An application with websockets alone."""

    framework: Any = None

    def __init__(self, wait: float = 0) -> None:
        self.bytes, self.wait = WaitingBytes(2**20), wait
        self.sessions: list[Session] = []

    def exchange(self, head: Any, respond: Any) -> Any:
        raise NotImplementedError

    def is_reserved(self, head: Any) -> bool:
        raise NotImplementedError

    def takes_websocket(self, head: Any) -> bool:
        return True

    def session(self, head: Any, channel: Any) -> Any:
        self.sessions.append(Session(channel, self.wait))
        return self.sessions[-1]


class Serving:
    """A server of connections on a free port."""

    def __init__(self, app: App, ping: float = PING) -> None:
        self.hub = Hub(app, Limits(2**20, 60, ping_interval=ping))

    async def __aenter__(self) -> tuple[str, int]:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: HttpConnection(self.hub), "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return host, port

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.hub.abort()


async def test_who_sends_ahead_is_alive_behind_what_it_sent() -> None:
    async with (
        Serving(App(wait=3 * PING)) as (host, port),
        connect(f"ws://{host}:{port}", compression=None) as client,
    ):
        for _ in range(MESSAGES):
            await client.send("more")
        assert [await client.recv() for _ in range(MESSAGES)] == ["answered"] * MESSAGES


@pytest.mark.parametrize("frame", [PING_FRAME, SMALL_FRAME], ids=["pings", "messages"])
async def test_a_flood_of_small_frames_leaves_others_their_turns(
    frame: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many bytes of it at the most are parsed before anybody else has a turn."""
    app, parsed = App(), 0
    async with Serving(app, ping=60) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(handshake())
        await reader.readuntil(b"\r\n\r\n")
        connection = app.sessions[0].channel
        receive = connection._protocol.receive_data

        def counted(data: bytes) -> None:
            nonlocal parsed
            parsed += len(data)
            receive(data)

        monkeypatch.setattr(connection._protocol, "receive_data", counted)
        size = FLOOD // len(frame) * len(frame)
        writer.write(frame * (FLOOD // len(frame)))
        unread = asyncio.create_task(drained(reader))
        worst = 0
        while parsed < size:
            before = parsed
            await asyncio.sleep(0)
            worst = max(worst, parsed - before)
        assert 0 < worst <= FLOOD // 2
        writer.close()
        await unread


async def test_messages_count_what_they_take_in_memory() -> None:
    """Those without a byte too: of what waits behind the one at work, some is not free."""
    app = App(wait=60)
    async with Serving(app, ping=60) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(handshake() + EMPTY_FRAME * 2**14)
        await reader.readuntil(b"\r\n\r\n")
        counted = []
        for _ in range(10_000):
            await asyncio.sleep(0)
            counted.append(app.bytes.total)
        assert 0 < max(counted) < 2**17
        writer.close()


def test_the_first_piece_of_a_websocket_is_small() -> None:
    """It may hold hundreds of frames, whatever came with it."""
    backlog = Backlog(FIRST_PIECE)
    backlog.add(EMPTY_FRAME * 2**12)
    assert len(backlog.next()) == FIRST_PIECE


async def drained(reader: asyncio.StreamReader) -> None:
    while await reader.read(PIECE):
        pass


def handshake() -> bytes:
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13"
    upgrade = "Connection: Upgrade\r\nUpgrade: websocket"
    return f"GET / HTTP/1.1\r\nHost: localhost\r\n{upgrade}\r\n{key}\r\n\r\n".encode()


async def test_a_loop_that_was_held_does_not_blame_its_clients() -> None:
    """Whose answers it could not hear."""
    async with (
        Serving(App(wait=3 * PING)) as (host, port),
        connect(f"ws://{host}:{port}", compression=None) as client,
    ):
        await client.send("more")
        threading.Event().wait(2 * PING)
        assert await client.recv() == "answered"


async def test_who_answers_no_ping_and_sends_nothing_is_let_go() -> None:
    async with Serving(App()) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(handshake())
        heard = await reader.read()  # to its end
        assert b"keepalive ping timeout" in heard
        writer.close()
