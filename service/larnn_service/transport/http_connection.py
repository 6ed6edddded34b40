"""A connection that speaks HTTP/1.1: requests are answered one after the other, in order.

Whatever a client makes it wait for has an end, and whatever it makes it hold is counted.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from functools import partial
from typing import Any, cast

from larnn_service.admission.byte_budget import Held
from larnn_service.errors import Full, TooSlow
from larnn_service.transport.framework_request import CONTINUE, FrameworkRequest
from larnn_service.transport.http_message import Message
from larnn_service.transport.hub import Hub
from larnn_service.transport.reading import Reading
from larnn_service.transport.request_parser import RequestParser
from larnn_service.transport.websocket_connection import WebSocketConnection
from larnn_service.transport.websocket_handshake import handshake_response
from larnn_service.wire.error_responses import response_of
from larnn_service.wire.http import Head, Response

logger = logging.getLogger(__name__)

PARSED = 2**14
"""Bytes parsed at once."""
MOST_DISCARDED = 2**26
"""Bytes of a body that may come after its request was answered: a client that sends all of it
before it reads gets its answer, and one that never ends is let go."""


class HttpConnection(asyncio.Protocol):
    """One request at a time: the next begins when the response to the last one is written."""

    def __init__(self, hub: Hub, **_: Any) -> None:
        """The server's own arguments are not needed."""
        self._hub = hub
        self._parser = RequestParser(self)
        self._messages: deque[Message] = deque()
        """The one at work, and those behind it."""
        self._unparsed = b""
        self._refusal: Response | None = None
        """The last response: nothing more is read."""
        self._arrived = 0
        """Bytes since anybody looked whether a request goes on to come."""
        self._discarded = 0
        self._held = Held(hub.app.bytes)
        self._crowded = self._half_closed = False
        self._arriving = self._writing_paused = False
        self.transport: asyncio.Transport
        self.reading: Reading
        self.drained: asyncio.Event | None = None
        """Set while the transport takes more; made by whoever has to wait for that."""

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.reading = Reading(self.transport)
        room = self._hub.admit(self)
        if room is None:
            return self.transport.abort()
        self._crowded = not room
        self._hub.silent.add(self, asyncio.get_running_loop().time())

    def data_received(self, data: bytes) -> None:
        self._unparsed = self._unparsed + data if self._unparsed else data
        self._arrived += len(data)
        if self._parser.incoming is not None and not self._messages:
            self._discarded += len(data)
            if self._discarded > MOST_DISCARDED:
                return self.transport.abort()
        self._parse()

    def eof_received(self) -> bool:
        """The client sends no more. What it has asked is answered soon, where the transport can."""
        self._half_closed = True
        if self._parser.in_head or self._parser.incoming is not None or not self._messages:
            return False
        self._hub.half_closed.add(self, asyncio.get_running_loop().time())
        return self.transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        self._hub.remove(self)
        self._held.set(0)
        messages, self._messages = self._messages, deque()
        for message in messages:
            message.abandon()
        if self.drained is not None:
            self.drained.set()
        self._parser.close()

    def pause_writing(self) -> None:
        self._writing_paused = True
        self._hub.deaf.add(self, asyncio.get_running_loop().time())
        if self.drained is not None:
            self.drained.clear()
        self._count()

    def resume_writing(self) -> None:
        self._writing_paused = False
        self._hub.deaf.remove(self)
        if self.drained is not None:
            self.drained.set()
        self._count()
        self._begin_next()

    # Bytes to requests.

    def _parse(self) -> None:
        """As far as to the head of the request behind the one at work."""
        while self._unparsed and self._refusal is None and self._may_parse():
            if len(self._unparsed) <= PARSED:
                data, self._unparsed = self._unparsed, b""
            else:
                data, self._unparsed = self._unparsed[:PARSED], self._unparsed[PARSED:]
            try:
                behind = self._parser.feed(data)
            except Exception:
                logger.exception("a request could not be taken")
                return self.transport.abort()
            if behind is not None:
                self._unparsed = behind + self._unparsed
                self.reading.pause()
                if len(self._messages) == 1:
                    self._begin_next()
                return
            self._refusal = self._refusal or self._parser.refusal
        if self._refusal is not None:
            return self._refuse()
        if len(self._messages) > 1 or self._writing_paused:
            self.reading.pause()
        self._count()
        self._watch()

    def _may_parse(self) -> bool:
        """Whether what comes next is a request, and no other waits behind the one at work."""
        return not self._messages or (len(self._messages) == 1 and not self._messages[0].upgrade)

    def _count(self) -> None:
        """What waits of requests, and what the client does not read."""
        waiting = len(self._unparsed) + sum([m.waiting for m in list(self._messages)[1:]])
        if self._writing_paused:
            waiting += self.transport.get_write_buffer_size()
        try:
            self._held.set(waiting)
        except Full as error:
            self._refusal = response_of(error, "")
            self._refuse()

    def _watch(self) -> None:
        """See that a request which has begun to come goes on to do so."""
        arriving = self._parser.in_head or self._parser.incoming is not None
        if arriving is not self._arriving:
            self._arriving, self._arrived = arriving, 0
            if arriving:
                self._rest_no_more()
                self._hub.arriving.add(self, asyncio.get_running_loop().time())
            else:
                self._hub.arriving.remove(self)

    def request_begun(self, message: Message) -> None:
        """The parser has a request's head."""
        self._messages.append(message)
        self._rest_no_more()
        self._discarded = 0
        if len(self._messages) == 1 and not self._writing_paused and not message.upgrade:
            self._begin(message)

    def _rest_no_more(self) -> None:
        """It is neither silent nor idle."""
        self._hub.silent.remove(self)
        self._hub.idle.remove(self)

    def request_whole(self, message: Message) -> None:
        """The parser has all of it."""
        if not self._messages:  # it may have been answered before all of it had come
            self._hub.idle.add(self, asyncio.get_running_loop().time())

    # Requests and responses.

    def _begin_next(self) -> None:
        if self._writing_paused or self.transport.is_closing():
            return
        if self._messages and not self._messages[0].begun:
            if self._messages[0].upgrade:
                return self._upgrade(self._messages[0])
            self._begin(self._messages[0])
            if len(self._messages) == 1:  # the rest of its body may still be on its way
                self.reading.resume()
                self._parse()
        elif self._refusal is not None:
            self._refuse()
        elif self._unparsed:
            self._parse()

    def _begin(self, message: Message) -> None:
        if self._crowded and not self._hub.app.is_reserved(message.head):
            message.keep_alive = False
            return self._respond(message, response_of(self._hub.crowded(), message.head.path))
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
        if self._messages and self._messages[0] is message:
            self._messages.popleft()
        more = bool(self._messages or self._unparsed or self._refusal)
        if close or (self._half_closed and not more):
            self.transport.close()
            return
        loop = asyncio.get_running_loop()
        if more:
            loop.call_soon(self._begin_next)
            return
        self.reading.resume()
        if message.whole and not self._arriving:
            self._hub.idle.add(self, loop.time())

    def _refuse(self) -> None:
        """Nothing more is read: say why, behind what was asked before, and close."""
        assert self._refusal is not None
        self._unparsed = b""
        incoming = self._parser.incoming
        if incoming is not None and incoming in self._messages:  # it will never be whole
            self._messages.remove(incoming)
            if incoming.responding:
                return self.transport.abort()
            incoming.abandon()
        self.reading.pause()
        if not self._messages:
            last = Message(Head("GET", "/", "", {}), [], "1.1", False, False)
            self._respond(last, self._refusal)

    def _upgrade(self, message: Message) -> None:
        response, accepted = handshake_response(self._hub.app, message.head)
        if accepted and self._crowded:
            accepted, response = False, response_of(self._hub.crowded(), "")
        if not accepted:
            message.keep_alive = False
            return self._respond(message, response)
        self._messages.clear()
        self._held.set(0)
        self._parser.close()
        websocket = WebSocketConnection(self._hub, message.head)
        self.transport.set_protocol(websocket)
        websocket.begin(self.transport, response, self._unparsed)
        self._hub.remove(self)
        self.reading.resume()

    # The connection's end.

    def late(self) -> None:
        """A request has been on its way for the arrival time: what comes too slowly is let go."""
        self._arriving = False
        waits_for_us = self.reading.paused or self._writing_paused
        fast_enough = not self._parser.in_head and self._arrived >= self._hub.limits.least_arrival
        if waits_for_us or fast_enough:
            return self._watch()
        error = TooSlow("the request came too slowly; send it again, on a new connection")
        self._refusal = response_of(error, "")
        self._refuse()

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

    def resume_body(self) -> None:
        """It takes more."""
        if len(self._messages) <= 1:
            self.reading.resume()

    async def drain_writes(self) -> None:
        """Wait until the client has read enough of what was written."""
        if self._writing_paused:
            self.drained = self.drained or asyncio.Event()
            self.drained.clear()
            await self.drained.wait()
