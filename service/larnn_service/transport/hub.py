"""What all connections of one server share: the application, limits, timers, and their number."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Protocol

from starlette.types import ASGIApp

from larnn_service.admission.byte_budget import WaitingBytes
from larnn_service.deadlines import Deadlines
from larnn_service.endpoints.channel import Channel
from larnn_service.endpoints.exchange import Exchange
from larnn_service.endpoints.stream_session import StreamSession
from larnn_service.wire.http import Head, Response

KEEP_ALIVE = 5.0
"""Seconds for which a connection is kept that asks nothing."""
PING = 20.0
"""Seconds between two pings of a websocket, and until one must be answered."""


class Application(Protocol):
    """What a transport hands requests to."""

    bytes: WaitingBytes
    framework: ASGIApp
    """Takes every request that has no exchange."""

    def exchange(self, head: Head, respond: Callable[[Response], None]) -> Exchange | None:
        """The request's exchange; None where the framework takes it."""
        ...

    def takes_websocket(self, head: Head) -> bool:
        """Whether there is a websocket at this path."""
        ...

    def session(self, head: Head, channel: Channel) -> StreamSession:
        """A websocket's session on this channel."""
        ...


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds."""

    max_message: int
    """Of a websocket."""
    send_timeout: float
    """How long answers may wait unread."""
    keep_alive: float = KEEP_ALIVE
    ping_interval: float = PING


class Closing(Protocol):
    """A connection that can be asked to end."""

    def drain(self) -> None:
        """Close once what is at work has been answered."""
        ...

    def abort(self) -> None:
        """Close now."""
        ...


class Hub:
    """Of one server. Belongs to the event loop's thread."""

    def __init__(self, app: Application, limits: Limits) -> None:
        self.app, self.limits = app, limits
        self.connections: set[Closing] = set()
        self.draining = False
        self.idle: Deadlines[Any] = Deadlines(limits.keep_alive, lambda each: each.close_idle())
        self.pings: Deadlines[Any] = Deadlines(limits.ping_interval, lambda each: each.ping())
        self._empty = asyncio.Event()
        self._second, self._lines = 0, b""

    def add(self, connection: Closing) -> None:
        """A connection is made, or has become a websocket."""
        self.connections.add(connection)

    def remove(self, connection: Closing) -> None:
        """It is lost, or has become a websocket."""
        self.connections.discard(connection)
        if not self.connections:
            self._empty.set()

    async def drain(self, within: float) -> None:
        """Ask every connection to end, and wait until all have, `within` seconds at most."""
        self.draining = True
        self._empty.clear()
        for connection in list(self.connections):
            connection.drain()
        if self.connections:
            try:
                async with asyncio.timeout(within):
                    await self._empty.wait()
            except TimeoutError:
                pass

    def abort(self) -> None:
        """Close what is left."""
        for connection in list(self.connections):
            connection.abort()

    def head_of_response(self, status: int) -> bytes:
        """Status line and the headers that every response has."""
        if (now := int(time.time())) != self._second:
            self._second = now
            self._lines = b"date: " + formatdate(now, usegmt=True).encode() + b"\r\n"
        return _status_line(status) + self._lines


@lru_cache(maxsize=64)
def _status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()
