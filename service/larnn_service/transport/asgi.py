"""The way in from any ASGI server: the same exchanges and sessions, driven by ASGI's events."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import Any

from starlette.types import Receive, Scope, Send

from larnn_service.transport.hub import Application
from larnn_service.wire import subprotocols
from larnn_service.wire.http import Response, head_of

PATIENCE = 0.05
"""Seconds that work may take before anybody looks whether its client is still there."""


async def serve_http(app: Application, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request."""
    reply: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    def respond(response: Response) -> None:
        if not reply.done():
            reply.set_result(response)

    exchange = app.exchange(head_of(scope), respond)
    if exchange is None:
        return await app.framework(scope, receive, send)
    try:
        while not exchange.answered:
            event = await receive()
            if event["type"] == "http.disconnect":
                return exchange.abandon()
            exchange.receive(event.get("body", b""))
            if not event.get("more_body", False):
                exchange.finish()
                break
        if not await _answered(reply, receive):
            return exchange.abandon()
    except asyncio.CancelledError:
        exchange.abandon()
        raise
    with contextlib.suppress(OSError):  # the client has gone
        await _send(reply.result(), send)


async def _answered(reply: asyncio.Future[Response], receive: Receive) -> bool:
    """Wait for the response; false where the client goes first."""
    await asyncio.wait([reply], timeout=PATIENCE)
    if reply.done():
        return True
    gone: asyncio.Future[Any]
    gone = asyncio.ensure_future(receive())  # after the body, nothing comes but the disconnect
    either: list[asyncio.Future[Any]] = [reply, gone]
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    gone.cancel()
    return reply.done()


async def _send(response: Response, send: Send) -> None:
    length = (b"content-length", str(len(response.body)).encode())
    headers = [*response.headers, length]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


async def serve_websocket(app: Application, scope: Scope, receive: Receive, send: Send) -> None:
    """Converse over a websocket, to its end."""
    with contextlib.suppress(OSError):  # what a server raises whose client has gone
        await _converse(app, scope, receive, send)


async def _converse(app: Application, scope: Scope, receive: Receive, send: Send) -> None:
    await receive()  # the handshake
    head = head_of(scope)
    if not app.takes_websocket(head):
        return await send({"type": "websocket.close", "code": 4404})
    chosen = subprotocols.chosen(scope.get("subprotocols", []))
    await send({"type": "websocket.accept", "subprotocol": chosen})
    channel = _Channel()
    session = app.session(head, channel)
    session.begin()
    reading: asyncio.Future[Any] = asyncio.ensure_future(receive())
    try:
        while True:
            while channel.outbox:
                event = channel.outbox.popleft()
                await send(event)
                if event["type"] == "websocket.close":
                    return
            channel.changed.clear()
            if channel.wanted and reading.done():
                event = reading.result()
                if event["type"] == "websocket.disconnect":
                    return
                reading = asyncio.ensure_future(receive())
                channel.wanted = False
                text: str | None = event.get("text")
                message = event.get("bytes") if text is None else text.encode()
                ahead, channel.ahead = channel.ahead, False
                session.receive(message or b"", text is not None, ahead)
                continue
            if reading.done() and reading.result()["type"] == "websocket.disconnect":
                return
            changed = asyncio.ensure_future(channel.changed.wait())
            waiting = {changed} if reading.done() else {changed, reading}
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            changed.cancel()
    finally:
        reading.cancel()
        session.gone()


class _Channel:
    """What a session sends, until the connection's task has sent it."""

    def __init__(self) -> None:
        self.outbox: deque[dict[str, Any]] = deque()
        self.changed = asyncio.Event()
        self.wanted = self.ahead = False

    def send(self, message: bytes, is_text: bool = True) -> None:
        told: dict[str, Any] = {"text": message.decode()} if is_text else {"bytes": message}
        self._put({"type": "websocket.send", **told})

    def close(self, code: int) -> None:
        self._put({"type": "websocket.close", "code": code})

    def receive_next(self) -> None:
        self.wanted = True
        self.changed.set()

    def _put(self, event: dict[str, Any]) -> None:
        self.outbox.append(event)
        self.changed.set()
