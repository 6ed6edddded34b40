"""A connection that speaks HTTP/1.1: bytes to requests, in order, and their responses to bytes."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from functools import partial
from typing import Any, cast
from urllib.parse import unquote

import httptools

from larnn_service.transport.framework_request import CONTINUE, FrameworkRequest
from larnn_service.transport.http_message import Message, RawHeaders
from larnn_service.transport.hub import Hub
from larnn_service.transport.websocket_connection import WebSocketConnection
from larnn_service.transport.websocket_handshake import handshake_response
from larnn_service.wire.http import Head, Response

logger = logging.getLogger(__name__)

_BAD_REQUEST = Response(
    b"Invalid HTTP request received.", 400, ((b"content-type", b"text/plain; charset=utf-8"),)
)


class HttpConnection(asyncio.Protocol):
    """One request at a time: the next begins when the response to the last one is written."""

    def __init__(self, hub: Hub, **_: Any) -> None:
        """The server's own arguments are not needed."""
        self._hub = hub
        self._parser = httptools.HttpRequestParser(self)
        self._messages: deque[Message] = deque()
        """The one at work, and those behind it."""
        self._incoming: Message | None = None
        """The one whose body is on its way."""
        self._url = b""
        self._raw: RawHeaders = []
        self._behind_upgrade = b""
        self._ignored: bytes | None = None
        """The head of a request whose offer to upgrade is ignored, to be read again without it."""
        self._bad = self._reading_paused = self._writing_paused = False
        self.transport: asyncio.Transport
        self.drained: asyncio.Event | None = None
        """Set while the transport takes more; made by whoever has to wait for that."""

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._hub.add(self)
        self._hub.idle.add(self, asyncio.get_running_loop().time())

    def data_received(self, data: bytes) -> None:
        self._hub.idle.remove(self)
        while data and not self._bad:
            try:
                self._parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                if self._ignored is not None:  # the parser skips the body: read it again, without
                    self._parser = httptools.HttpRequestParser(self)
                    data, self._ignored = self._ignored + data, None
                elif self._messages and self._messages[-1].upgrade:
                    self._behind_upgrade = data
                    self._pause_reading()
                    if len(self._messages) == 1:
                        self._begin_next()
                    return
            except httptools.HttpParserCallbackError:  # what was called by the parser failed
                logger.exception("a request could not be taken")
                return self.transport.abort()
            except httptools.HttpParserError:
                self._bad = True
        if self._bad and self._incoming in self._messages:  # its body will never be whole
            self._messages.pop().abandon()
        if self._bad and not self._messages:
            self._refuse()

    def connection_lost(self, exc: Exception | None) -> None:
        self._hub.idle.remove(self)
        self._hub.remove(self)
        messages, self._messages = self._messages, deque()
        for message in messages:
            message.abandon()
        if self.drained is not None:
            self.drained.set()
        self._parser = None  # type: ignore[assignment]  # they hold each other

    def pause_writing(self) -> None:
        self._writing_paused = True
        if self.drained is not None:
            self.drained.clear()

    def resume_writing(self) -> None:
        self._writing_paused = False
        if self.drained is not None:
            self.drained.set()
        self._begin_next()

    # The parser's side.

    def on_message_begin(self) -> None:
        self._url, self._raw = b"", []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._raw.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser = self._parser
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in reversed(self._raw)}
        path, _, query = self._url.decode("latin-1").partition("#")[0].partition("?")
        if "%" in path:
            path = unquote(path)
        head = Head(parser.get_method().decode(), path, query, headers)
        upgrade = headers.get("upgrade", "").lower() == "websocket"
        version = parser.get_http_version()
        hosts = [name for name, _ in self._raw].count(b"host")
        if self._bad or hosts > 1 or (not hosts and version != "1.0"):  # RFC 9112, 3.2
            self._bad = True
            return
        if parser.should_upgrade() and not upgrade:
            self._ignored = self._without_upgrade()
            return
        keep_alive = version != "1.0" and parser.should_keep_alive()
        message = Message(head, self._raw, version, keep_alive, upgrade)
        self._messages.append(message)
        self._incoming = message
        if len(self._messages) > 1 or self._writing_paused:
            self._pause_reading()
        elif not upgrade:
            self._begin(message)

    def _without_upgrade(self) -> bytes:
        """The head of a request that offers another protocol, which is ignored, as it would be
        without the offer."""
        method, version = self._parser.get_method(), self._parser.get_http_version().encode()
        if method == b"CONNECT":
            self._bad = True
        lines = [
            name + b": " + value + b"\r\n"
            for name, value in self._raw
            if name not in (b"upgrade", b"http2-settings")
        ]
        return b"%s %s HTTP/%s\r\n%s\r\n" % (method, self._url, version, b"".join(lines))

    def on_body(self, body: bytes) -> None:
        if self._incoming is not None:
            self._incoming.receive(body)

    def on_message_complete(self) -> None:
        message, self._incoming = self._incoming, None
        if message is not None:
            message.finish()
            if not self._messages:  # it may have been answered before all of it had come
                self._hub.idle.add(self, asyncio.get_running_loop().time())

    # Requests and responses.

    def _begin_next(self) -> None:
        if self._writing_paused or self.transport.is_closing():
            return
        if self._messages and not self._messages[0].begun:
            if len(self._messages) == 1:  # the rest of its body may still be on its way
                self._resume_reading()
            self._begin(self._messages[0])
        elif self._bad and not self._messages:
            self._refuse()

    def _begin(self, message: Message) -> None:
        if message.upgrade:
            return self._upgrade(message)
        exchange = self._hub.app.exchange(message.head, partial(self._respond, message))
        if exchange is None:
            message.begin(FrameworkRequest(self, self._hub, message))
            return
        if message.head.expects_continue and not exchange.answered:
            self.transport.write(CONTINUE)
        message.begin(exchange)

    def _respond(self, message: Message, response: Response) -> None:
        """Write the whole response, and go on with the next request."""
        if self.transport.is_closing():
            return
        close = self._hub.draining or not message.keep_alive
        parts = [self._hub.head_of_response(response.status)]
        for name, value in response.headers:
            parts += (name, b": ", value, b"\r\n")
        parts.append(b"content-length: %d\r\n" % len(response.body))
        parts.append(b"connection: close\r\n\r\n" if close else b"\r\n")
        if message.head.method != "HEAD":
            parts.append(response.body)
        self.transport.write(b"".join(parts))
        self.responded(message, close)

    def responded(self, message: Message, close: bool) -> None:
        """The response to the message at work is written; `close`: it is the connection's last."""
        message.end()
        if close:
            self.transport.close()
            return
        if self._messages and self._messages[0] is message:
            self._messages.popleft()
        loop = asyncio.get_running_loop()
        if self._messages or self._bad:
            loop.call_soon(self._begin_next)
            return
        self._resume_reading()
        if message.whole:
            self._hub.idle.add(self, loop.time())

    def _refuse(self) -> None:
        """What came is no HTTP: say so, and close."""
        head = Head("GET", "/", "", {})
        self._respond(Message(head, [], "1.1", False, False), _BAD_REQUEST)

    def _upgrade(self, message: Message) -> None:
        response, accepted = handshake_response(self._hub.app, message.head)
        if not accepted:
            message.keep_alive = False
            return self._respond(message, response)
        self._messages.clear()
        self._parser = None  # type: ignore[assignment]  # they hold each other
        websocket = WebSocketConnection(self._hub, message.head)
        self.transport.set_protocol(websocket)
        websocket.begin(self.transport, response, self._behind_upgrade)
        self._hub.remove(self)
        self._resume_reading()

    # The connection's end.

    def close_idle(self) -> None:
        """It has asked nothing for the keep-alive time."""
        if not self._messages:
            self.transport.close()

    def drain(self) -> None:
        """Close once the request at work is answered."""
        if not self._messages:
            self.transport.close()

    def abort(self) -> None:
        """Close now."""
        self.transport.abort()

    def pause_body(self) -> None:
        """The framework has enough of the body for now."""
        self._pause_reading()

    def resume_body(self) -> None:
        """It takes more."""
        if len(self._messages) <= 1:
            self._resume_reading()

    async def drain_writes(self) -> None:
        """Wait until the client has read enough of what was written."""
        if self._writing_paused:
            self.drained = self.drained or asyncio.Event()
            self.drained.clear()
            await self.drained.wait()

    def _pause_reading(self) -> None:
        if not self._reading_paused and not self.transport.is_closing():
            self._reading_paused = True
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._reading_paused and not self.transport.is_closing():
            self._reading_paused = False
            self.transport.resume_reading()
