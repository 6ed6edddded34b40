"""A request that the framework answers: ASGI's events on a connection of ours."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from larnn_service.admission.byte_budget import Held
from larnn_service.errors import Full
from larnn_service.transport.http_message import Message
from larnn_service.transport.hub import Hub

if TYPE_CHECKING:
    from larnn_service.transport.http_connection import HttpConnection

logger = logging.getLogger(__name__)

HIGH_WATER = 2**16
"""Bytes of a body that wait for the framework before reading is paused."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class FrameworkRequest:
    """Runs the framework's application in a task, from the request's head to its response."""

    def __init__(self, connection: HttpConnection, hub: Hub, message: Message) -> None:
        self._connection, self._hub, self._message = connection, hub, message
        self._body, self._whole, self._gone = bytearray(), False, False
        self._changed = asyncio.Event()
        self._start: dict[str, Any] | None = None
        self._chunked = self._done = self._told_whole = self._head_sent = False
        self._expects = message.head.expects_continue
        self._held = Held(hub.app.bytes)
        self._full: Full | None = None
        """Why the rest of the body was not kept."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    # The connection's side.

    def receive(self, part: bytes) -> None:
        """More of the body. It is counted until the application has it; without room for it, the
        application is told so and nothing is kept."""
        if self._done or self._full is not None:
            return
        try:
            self._held.set(len(self._body) + len(part))
        except Full as error:
            self._full = error
            self._let_go()
        else:
            self._body += part
            if len(self._body) > HIGH_WATER:
                self._connection.pause_body()
        self._changed.set()

    def finish(self) -> None:
        """The body is whole."""
        self._whole = True
        self._changed.set()

    def abandon(self) -> None:
        """The client has gone."""
        self._gone = True
        self._let_go()
        self._changed.set()

    def _let_go(self) -> None:
        self._body = bytearray()
        self._held.set(0)

    # The application's side.

    async def _run(self) -> None:
        try:
            await self._hub.app.framework(self._scope(), self._receive, self._send)
        except Exception:
            logger.exception("an application failed")
        if not self._done and not self._gone:
            self._connection.transport.close()

    def _scope(self) -> dict[str, Any]:
        message, transport = self._message, self._connection.transport
        head = message.head
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": message.version,
            "method": head.method,
            "scheme": "https" if transport.get_extra_info("sslcontext") else "http",
            "path": head.path,
            "query_string": head.query_string.encode("latin-1"),
            "root_path": "",
            "headers": message.raw,
            "server": (transport.get_extra_info("sockname") or ("", None))[:2],
            "client": (transport.get_extra_info("peername") or ("", 0))[:2],
            "state": {},
        }

    async def _receive(self) -> dict[str, Any]:
        if self._expects and not self._whole and self._start is None:
            self._connection.transport.write(CONTINUE)
            self._expects = False
        while not (self._gone or self._done or self._has_more()):
            self._changed.clear()
            await self._changed.wait()
        if self._gone or self._done:
            return {"type": "http.disconnect"}
        if self._full is not None:
            raise self._full
        body = bytes(self._body)
        self._let_go()
        self._told_whole = self._whole
        self._connection.resume_body()
        return {"type": "http.request", "body": body, "more_body": not self._whole}

    def _has_more(self) -> bool:
        """Whether there is something to tell the application of the body."""
        more = self._body or (self._whole and not self._told_whole)
        return bool(more) or self._full is not None

    async def _send(self, event: Any) -> None:
        await self._connection.unread.drained()
        if self._gone or self._done or self._connection.transport.is_closing():
            return
        if event["type"] == "http.response.start":
            self._start = event
            return
        body, more = event.get("body", b""), event.get("more_body", False)
        assert self._start is not None
        parts = [] if self._head_sent else [self._head(body, more)]
        if self._message.head.method != "HEAD":
            if not self._chunked:
                parts.append(body)
            else:
                if body:
                    parts += (b"%x\r\n" % len(body), body, b"\r\n")
                if not more:
                    parts.append(b"0\r\n\r\n")
        self._connection.transport.write(b"".join(parts))
        if not more:
            self._done = True
            self._let_go()
            self._changed.set()
            self._connection.responded(self._message, self._closes())

    def _head(self, body: bytes, more: bool) -> bytes:
        """Status line and headers; a body of unknown length is sent in chunks."""
        assert self._start is not None
        self._head_sent = self._message.responding = True
        status = self._start["status"]
        parts = [self._hub.head_of_response(status)]
        names = set()
        for name, value in self._start.get("headers", ()):
            names.add(name.lower())
            parts += (name, b": ", value, b"\r\n")
        if b"content-length" not in names and status >= 200 and status not in (204, 304):
            if more:
                self._chunked = True
                parts.append(b"transfer-encoding: chunked\r\n")
            else:
                parts.append(b"content-length: %d\r\n" % len(body))
        parts.append(b"connection: close\r\n\r\n" if self._closes() else b"\r\n")
        return b"".join(parts)

    def _closes(self) -> bool:
        return self._hub.draining or not self._message.keep_alive
