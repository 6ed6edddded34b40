"""Requests of the framework's on a connection of ours, by an ASGI application made for each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, cast

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from larnn_service.admission.byte_budget import WaitingBytes
from larnn_service.errors import Full
from larnn_service.transport.http_connection import HttpConnection
from larnn_service.transport.hub import Application, Hub, Limits
from tests.until import until

PART = b"x" * 2**16
PARTS = 200
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class OnlyFramework:
    """What the transport asks of an application, where the framework takes every request."""

    def __init__(self, framework: ASGIApp, waiting: WaitingBytes) -> None:
        self.framework, self.bytes = framework, waiting

    def exchange(self, head: object, respond: object) -> None:
        return None


@contextlib.asynccontextmanager
async def client_of(
    framework: ASGIApp,
    waiting: WaitingBytes | None = None,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server of that application."""
    app = OnlyFramework(framework, waiting or WaitingBytes(2**20))
    hub = Hub(cast(Application, app), Limits(2**20, 60))
    made = partial(HttpConnection, hub)
    server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    try:
        yield reader, writer
    finally:
        writer.close()
        server.close()
        await hub.drain(60)


def start(*headers: tuple[bytes, bytes], status: int = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": headers}


def part(body: bytes = b"", more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def dechunked(reader: asyncio.StreamReader) -> bytes:
    """A body in chunks, to its end."""
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        assert await reader.readline() == b"\r\n"
    assert await reader.readline() == b"\r\n"
    return body


async def test_a_response_waits_for_a_client_that_does_not_read_and_is_sent_once() -> None:
    """However often the transport is full on the way."""
    begun, sent = 0, 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal begun, sent
        begun += 1
        await send(start())
        for _ in range(PARTS):
            await send(part(PART, more=True))
            sent += 1
        await send(part())

    async with client_of(app) as (reader, writer):
        writer.write(GET + GET)
        for number in (1, 2):
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"\r\ntransfer-encoding: chunked\r\n" in head
            assert sent < number * PARTS, "it waits for the client"
            assert await dechunked(reader) == PART * PARTS
        assert begun == 2


async def test_a_body_waits_for_an_application_that_does_not_read() -> None:
    """So that no more than a few parts are kept, and all of it comes in the end."""
    go_on, size = asyncio.Event(), 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal size
        await go_on.wait()
        while True:
            event = await receive()
            size += len(event["body"])
            assert len(event["body"]) < 10 * len(PART)
            if not event["more_body"]:
                break
        await send(start())
        await send(part(b"read"))

    async with client_of(app) as (reader, writer):
        length = len(PART) * PARTS
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % length)
        writer.write(PART * PARTS)
        go_on.set()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        assert await reader.readexactly(4) == b"read"
        assert size == length


@pytest.mark.parametrize("reads", [False, True])
async def test_a_body_that_waits_is_counted(reads: bool) -> None:
    """Without room it is not kept, and who reads it is told why."""
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await go_on.wait()
        try:
            while reads and (await receive())["more_body"]:
                pass
            await send(start())
        except Full:
            await send(start(status=503))
        await send(part())

    waiting = WaitingBytes(2**18)
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(client_of(app, waiting)) for _ in range(8)]
        for _, writer in clients:
            writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999\r\n\r\n")
            writer.write(b"x" * 60_000)
        full = 2**18 - 60_000
        await asyncio.to_thread(until, lambda: waiting.total > full, "they are not counted")
        assert waiting.total <= 2**18
        go_on.set()
        for _, writer in clients:
            writer.write(b"x" * 39_999)
        heads = [await reader.readuntil(b"\r\n\r\n") for reader, _ in clients]
        statuses = {head.split(b" ")[1] for head in heads}
        assert b"503" in statuses if reads else statuses == {b"200"}
    assert waiting.total == 0


async def test_an_application_hears_that_its_client_has_gone() -> None:
    heard: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        heard.set_result([(await receive())["type"] for _ in range(2)])
        await send(start())  # to nobody
        await send(part())

    async with client_of(app) as (_, writer):
        writer.write(GET)
        await writer.drain()
        writer.write_eof()
        assert await heard == ["http.request", "http.disconnect"]


async def test_who_answers_before_the_body_has_come_is_not_told_of_it() -> None:
    """And the next request is the next one's."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(part(scope["path"].encode()))

    async with client_of(app) as (reader, writer):
        for path in (b"/a", b"/b"):
            writer.write(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n" % path)
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(2) == path
            writer.write(b"body")


@pytest.mark.parametrize("started", [False, True])
async def test_an_application_that_fails_closes(
    started: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if started:
            await send(start((b"content-length", b"9")))
            await send(part(b"half", more=True))
        raise RuntimeError("made to fail")

    async with client_of(app) as (reader, writer):
        writer.write(GET)
        told = await reader.read()
    assert told.endswith(b"\r\n\r\nhalf") if started else not told
    assert "an application failed" in caplog.text


@pytest.mark.parametrize("status", [204, 304])
async def test_what_has_no_body_announces_none(status: int) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(status=status))
        await send(part())

    async with client_of(app) as (reader, writer):
        writer.write(GET)
        head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-length" not in head and b"transfer-encoding" not in head
