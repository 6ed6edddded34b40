"""What all connections of one server share: the application, limits, timers, and their number."""

from __future__ import annotations

import asyncio
import logging
import math
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
from larnn_service.errors import Full
from larnn_service.transport.backlog import Turns
from larnn_service.wire.http import Head, Response

logger = logging.getLogger(__name__)

LEAST_ARRIVAL = 10 * 2**10
"""Bytes of a body that must come in each arrival timeout, till it is whole."""
HALF_CLOSED = 1.0
"""Seconds in which a client that sends no more is answered; then it is taken to be gone."""
RESERVE = 64
"""Connections above the limit that may ask for health and management."""
DISCARDING = 5e-3
"""Seconds between two reads of what is thrown away, on all connections together."""
SAID = 60.0
"""Seconds between two log lines that say the same of all connections."""
KEEP_ALIVE = 75.0
"""Seconds for which a connection is kept that asks nothing."""
SILENT = 5.0
"""Likewise of one that never asked anything, at most."""
CLOSE_TIMEOUT = 10.0
"""Seconds in which a client must answer a close frame."""
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

    def is_reserved(self, head: Head) -> bool:
        """Whether it is answered on the connections that are kept back for health and
        management."""
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
    max_connections: int = 10_000
    """Open at once; a few more are taken for health and management alone."""
    arrival_timeout: float = 10.0
    """How long the head of a request may take to come, and each `least_arrival` of its body."""
    least_arrival: int = LEAST_ARRIVAL
    keep_alive: float = KEEP_ALIVE
    root_path: str = ""
    """What a request's path may begin with, and is not looked at."""
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
        self._said = -math.inf
        self.draining = False
        self.idle: Deadlines[Any] = Deadlines(limits.keep_alive, lambda each: each.drain())
        first = min(limits.keep_alive, SILENT)
        self.silent: Deadlines[Any] = Deadlines(first, lambda each: each.drain())
        """Those that have asked nothing yet."""
        self.arriving: Deadlines[Any] = Deadlines(limits.arrival_timeout, lambda each: each.late())
        """Those with a request that is on its way."""
        self.turns = Turns()
        self.discarding = Turns(turn=0, pause=DISCARDING)
        """Those that send on what nobody wants."""
        self.deaf: Deadlines[Any] = Deadlines(limits.send_timeout, self._look_after)
        """Those that do not read what they are answered."""
        self.closing: Deadlines[Any] = Deadlines(CLOSE_TIMEOUT, lambda each: each.abort())
        """Websockets whose clients have been sent a close frame."""
        self.pings: Deadlines[Any] = Deadlines(limits.ping_interval, lambda each: each.ping())
        self.half_closed: Deadlines[Any] = Deadlines(HALF_CLOSED, lambda each: each.abort())
        self._empty = asyncio.Event()
        self._second, self._lines = 0, b""

    def admit(self, connection: Closing) -> bool | None:
        """A connection is made. Whether it may ask anything: false where it may ask but for what
        the reserve is kept for, None where it may ask nothing.

        Where there is no room, a connection is closed: the oldest that has asked nothing yet, else
        the oldest that is being closed, else the oldest whose request is not whole, else the one
        that has been idle for longest, or has read nothing for longest.
        """
        most = self.limits.max_connections
        if connection in self.connections:  # since its handshake of TLS
            return len(self.connections) <= most
        if len(self.connections) >= most:
            self._make_room()
        if len(self.connections) >= most + RESERVE:
            return None
        self.connections.add(connection)
        return len(self.connections) <= most

    def _make_room(self) -> None:
        if time.monotonic() - self._said > SAID:
            self._said = time.monotonic()
            logger.warning("%d connections are open, the most that may be", len(self.connections))
        lines = (self.silent, self.closing, self.arriving, self.idle, self.deaf)
        oldest = next((found for each in lines if (found := each.oldest()) is not None), None)
        if oldest is not None:
            self.remove(oldest)
            oldest.abort()

    def _look_after(self, connection: Any) -> None:
        """The send timeout is over: a client that reads slowly has time, as long as it reads."""
        if connection.unread.goes_on():
            self.deaf.add(connection, asyncio.get_running_loop().time())
        else:
            connection.give_up()

    def note_request(self, connection: Closing) -> None:
        """A request comes on it: it is neither silent nor idle."""
        self.silent.remove(connection)
        self.idle.remove(connection)

    def crowded(self) -> Full:
        """What is told on a connection of the reserve."""
        return Full(f"{self.limits.max_connections} connections are open, the most that may be")

    def add(self, connection: Closing) -> None:
        """A connection has become a websocket."""
        self.connections.add(connection)

    def remove(self, connection: Closing) -> None:
        """It is lost, or has become a websocket."""
        self.connections.discard(connection)
        each = self.silent, self.idle, self.arriving, self.deaf, self.closing, self.half_closed
        for waiting in each:
            waiting.remove(connection)
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

    def whole_response(self, response: Response, close: bool, method: str) -> bytes:
        """A response with all of its headers, and its body unless only its head was asked for."""
        parts = [self.head_of_response(response.status)]
        for name, value in response.headers:
            parts += (name, b": ", value, b"\r\n")
        parts.append(b"content-length: %d\r\n" % len(response.body))
        parts.append(b"connection: close\r\n\r\n" if close else b"\r\n")
        if method != "HEAD":
            parts.append(response.body)
        return b"".join(parts)

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
