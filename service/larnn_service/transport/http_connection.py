"""A connection that speaks HTTP/1.1: requests are answered one after the other, in order.

Whatever a client makes it wait for has an end, and whatever it makes it hold is counted.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from functools import partial
from typing import Any, cast

from larnn_service.admission.byte_budget import Held
from larnn_service.errors import Full, TooSlow
from larnn_service.transport.arrival import Arrival
from larnn_service.transport.backlog import SLOW, Backlog
from larnn_service.transport.framework_request import CONTINUE, FrameworkRequest
from larnn_service.transport.http_message import Message
from larnn_service.transport.hub import Hub
from larnn_service.transport.reading import Reading
from larnn_service.transport.request_parser import RequestParser
from larnn_service.transport.unread import Unread
from larnn_service.transport.websocket_connection import WebSocketConnection
from larnn_service.transport.websocket_handshake import handshake_response
from larnn_service.wire.error_responses import response_of
from larnn_service.wire.http import Head, Response

logger = logging.getLogger(__name__)


class HttpConnection(asyncio.Protocol):
    """One request at a time: the next begins when the response to the last one is written."""

    def __init__(self, hub: Hub, **_: Any) -> None:
        """The server's own arguments are not needed."""
        self._hub = hub
        self._parser = RequestParser(self, hub.limits.root_path)
        self._messages: deque[Message] = deque()
        """The one at work, and those behind it."""
        self._backlog = Backlog()
        self._refusal: Response | None = None
        """The last response: nothing more is read."""
        self._arrival = Arrival(hub)
        self._held = Held(hub.app.bytes)
        self._crowded = self._half_closed = self._upgraded = self._body_paused = False
        self._owner = ""
        """Whose the request at work is."""
        self.transport: asyncio.Transport
        self.reading: Reading
        self.unread: Unread

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.reading = Reading(self.transport)
        self.unread = Unread(self.transport)
        room = self._hub.admit(self)
        if room is None:
            return self.transport.abort()
        self._crowded = not room
        self._hub.silent.add(self, asyncio.get_running_loop().time())

    def data_received(self, data: bytes) -> None:
        self._backlog.add(data)
        wanted = bool(self._messages) or self._parser.incoming is None
        if not self._arrival.add(self, len(data), wanted):
            return self.transport.abort()
        if self._backlog.is_small and self._parse not in self._hub.turns.waiting:
            self._parse()
        else:
            self._go_on()

    def eof_received(self) -> bool:
        """The client sends no more. What it has asked is answered soon, where the transport can."""
        self._half_closed = True
        if self._parser.in_head or self._parser.incoming is not None or not self._messages:
            return False
        self._hub.half_closed.add(self, asyncio.get_running_loop().time())
        return self.transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        self._hub.remove(self)
        self._hub.turns.remove(self._parse)
        self._hub.discarding.remove(self.resume_body)
        self._held.set(0)
        while self._messages:
            self._messages.popleft().abandon()
        self.unread.resume()
        self._parser.close()

    def pause_writing(self) -> None:
        self.unread.pause()
        self._hub.deaf.add(self, asyncio.get_running_loop().time())
        self._count()

    def resume_writing(self) -> None:
        self.unread.resume()
        self._hub.deaf.remove(self)
        self._count()
        self._begin_next()

    # Bytes to requests.

    def _parse(self) -> None:
        """Pieces for a moment, as far as to the head of the request behind the one at work."""
        until = (now := time.perf_counter()) + SLOW
        while self._backlog.size and now < until and self._may_parse():
            try:
                self._feed(self._backlog.next())
                now = self._backlog.parsed()
            except Exception:
                logger.exception("a request could not be taken")
                return self.transport.abort()
        if self._upgraded:
            return
        if self._refusal is not None:
            return self._refuse()
        self._go_on()
        self._count()
        self._watch()

    def _feed(self, data: bytes) -> None:
        behind = self._parser.feed(data)
        if behind is not None:  # a handshake: what follows belongs to the websocket
            self._backlog.add(behind + self._backlog.take_all())
            if len(self._messages) == 1:
                self._begin_next()
        self._refusal = self._refusal or self._parser.refusal

    def _go_on(self) -> None:
        """Parse on, in a turn that comes; or read on, where there is nothing to parse."""
        if not self._may_parse() or self.unread.paused:
            self.reading.pause()
        elif self._backlog.size:
            self.reading.pause()
            self._hub.turns.add(self._parse)
        elif not self._body_paused:
            self.reading.resume()

    def _may_parse(self) -> bool:
        """Whether what comes next is a request, and no other waits behind the one at work."""
        if self._refusal is not None or self.transport.is_closing():
            return False
        return not self._messages or (len(self._messages) == 1 and not self._messages[0].upgrade)

    def _count(self) -> None:
        """What waits of requests, and what the client does not read."""
        waiting = self._backlog.size
        if len(self._messages) > 1:
            waiting += sum([m.waiting for m in list(self._messages)[1:]])
        if self.unread.paused:
            waiting += self.unread.size
        try:
            self._held.set(waiting, self._owner)
        except Full as error:
            if self.unread.paused:
                return self.transport.abort()
            self._refusal = response_of(error, "")
            self._refuse()

    def _watch(self) -> None:
        """See that a request which has begun to come goes on to do so."""
        arriving = self._parser.in_head or self._parser.incoming is not None
        if arriving:
            self._hub.note_request(self)
        self._arrival.watch(self, arriving)

    def request_begun(self, message: Message) -> None:
        """The parser has a request's head."""
        self._messages.append(message)
        self._hub.note_request(self)
        if len(self._messages) == 1 and not self.unread.paused and not message.upgrade:
            self._begin(message)

    def request_whole(self, message: Message) -> None:
        if not self._messages:  # it was answered before all of it had come
            self._hub.idle.add(self, asyncio.get_running_loop().time())

    def upgrades(self, head: Head) -> bool:
        asked = head.method == "GET" and head.headers.get("upgrade", "").lower() == "websocket"
        return asked and self._hub.app.takes_websocket(head)

    # Requests and responses.

    def _begin_next(self) -> None:
        if self.unread.paused or self.transport.is_closing():
            return
        if self._messages and not self._messages[0].begun:
            first = self._messages[0]
            if first.upgrade:
                return self._upgrade(first)
            self._begin(first)
        elif self._refusal is not None:
            return self._refuse()
        self._go_on()

    def _begin(self, message: Message) -> None:
        if self._crowded and not self._hub.app.is_reserved(message.head):
            message.keep_alive = False
            return self._respond(message, response_of(self._hub.crowded(), message.head.path))
        exchange = self._hub.app.exchange(message.head, partial(self._respond, message))
        if exchange is None:
            return message.begin(FrameworkRequest(self, self._hub, message))
        self._owner = exchange.owner
        if message.head.expects_continue and not exchange.answered:
            self.transport.write(CONTINUE)
        message.begin(exchange)

    def _respond(self, message: Message, response: Response) -> None:
        """Write the whole response, and go on with the next request."""
        if self.transport.is_closing():
            return
        close = self._hub.draining or not message.keep_alive
        self.transport.write(self._hub.whole_response(response, close, message.head.method))
        self.responded(message, close)

    def responded(self, message: Message, close: bool) -> None:
        """The response to the message at work is written; `close`: it is the connection's last."""
        message.end()
        self._body_paused = False
        if self._messages and self._messages[0] is message:
            self._messages.popleft()
        more = bool(self._messages or self._backlog.size or self._refusal)
        if close or (self._half_closed and not more):
            return self.transport.close()
        loop = asyncio.get_running_loop()
        if more:
            loop.call_soon(self._begin_next)
            return
        if self.reading.paused:
            self._go_on()
        if message.whole and not self._arrival.watched:
            self._hub.idle.add(self, loop.time())

    def _refuse(self) -> None:
        """Nothing more is read: say why, behind what was asked before, and close."""
        assert self._refusal is not None
        self._backlog = Backlog()
        incoming = self._parser.incoming  # it will never be whole
        if incoming is not None and incoming in self._messages:
            self._messages.remove(incoming)
            if incoming.responding:
                return self.transport.abort()
            incoming.abandon()
        self.reading.pause()
        if not self._messages:
            last = Message(Head("GET", "/", "", {}), [], "1.1", False, False)
            self._respond(last, self._refusal)

    def _upgrade(self, message: Message) -> None:
        response, accepted = handshake_response(message.head)
        if accepted and self._crowded:
            accepted, response = False, response_of(self._hub.crowded(), "")
        if not accepted:
            message.keep_alive = False
            return self._respond(message, response)
        self._upgraded = True
        self._messages.clear()
        self._held.set(0)
        self._parser.close()
        websocket = WebSocketConnection(self._hub, message.head)
        self.transport.set_protocol(websocket)
        self._hub.remove(self)
        self._hub.turns.remove(self._parse)
        self.reading.resume()
        websocket.begin(self.transport, response, self._backlog.take_all())

    # The connection's end.

    def late(self) -> None:
        """A request has been on its way for the arrival time: what comes too slowly is let go."""
        we_wait = self.reading.paused or self.unread.paused
        if not self._arrival.is_late(self._parser.in_head, we_wait):
            return self._watch()
        error = TooSlow("the request came too slowly; send it again, on a new connection")
        self._refusal = response_of(error, "")
        self._refuse()

    def drain(self) -> None:
        """Close once the request at work is answered, at once where there is none."""
        if not self._messages:
            self.transport.close()

    def abort(self) -> None:
        """Close now."""
        self.transport.abort()

    give_up = abort
    """The client does not read."""

    def pause_body(self) -> None:
        """The framework has enough of the body for now."""
        self._body_paused = True
        self.reading.pause()

    def resume_body(self) -> None:
        """It takes more."""
        self._body_paused = False
        self._go_on()
