"""The short way of POST /classify: from the HTTP parser to the door and back, without ASGI.

A scope, its messages and the layers of middleware cost more than a small network. What is not
plainly such a request takes the long way, through the application, which answers it the same.
"""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from larnn_service.admission.byte_budget import FREE
from larnn_service.api.exchange import Exchange, ShortWay
from larnn_service.api.heads import LARGEST, WHOLE, Fields, Head, KnownHead
from larnn_service.endpoints.classify import PATH, Asked
from larnn_service.engine.batching.timeouts import Deadlines
from larnn_service.errors import ServiceError

UNUSUAL = {b"expect", b"origin", b"sec-websocket-protocol", b"transfer-encoding", b"upgrade"}
"""Headers that ask for more than an answer."""
KEEP_ALIVE = 5
"""Seconds for which a connection is kept that asks nothing."""
_PATH = PATH.encode()


def direct(way: ShortWay) -> type[asyncio.Protocol]:
    """uvicorn's protocol with the short way in it."""
    largest = way.turn.largest
    idle: Deadlines[HttpToolsProtocol] = Deadlines(
        KEEP_ALIVE, HttpToolsProtocol.timeout_keep_alive_handler
    )

    class DirectHttp(HttpToolsProtocol):
        _exchange: Exchange | None = None
        """The last request that took the short way."""
        _reading = False
        """Whether its body is on its way."""
        _between = True
        """The parser is between two requests."""
        _start = b""
        """What it was given there, until that is known for what it is."""
        _known: KnownHead | None = None
        """What each request of the connection begins with, as it seems."""
        waiting: bytes | None = None
        """What has come where a request is expected, until the turn's end, or until all of it has
        come: in few enough bytes that they need not be counted."""

        def data_received(self, data: bytes) -> None:
            if self.waiting is not None:
                data, self.waiting = self.waiting + data, None
            elif self._known is None or not self._between or self._behind():
                return self._parse(data)
            if len(data) > WHOLE:
                return self._parse(data)
            self._unset_keepalive_if_required()
            self.waiting = data
            way.turn.add(self)

        def _parse(self, data: bytes) -> None:
            if self._between:
                self._start = data
            super().data_received(data)

        @property
        def known(self) -> KnownHead:
            assert self._known is not None
            return self._known

        def ask(self, asked: Asked) -> None:
            data, self.waiting = self.waiting or b"", None
            if self._may_come_in(data):
                exchange = self._take(self.known.head)
                exchange.hold(len(data))
                exchange.ask(asked)

        def read_alone(self) -> None:
            known, data = self.known, self.waiting or b""
            if len(data) <= FREE and known.is_part(data, largest):
                return  # more of it comes
            self.waiting, body = None, known.body(data)
            if body is None or len(body) > largest:
                self._parse(data)
            elif self._may_come_in(data):
                exchange = self._take(known.head)
                exchange.receive(body)
                exchange.start(known)

        def give_up(self) -> None:
            self.transport.abort()

        def _may_come_in(self, data: bytes) -> bool:
            if self.transport.is_closing():
                return False
            if not way.has_room(self.known.head.owner, len(data)):
                self._parse(data)
                return False
            return True

        def shutdown(self) -> None:
            if self.waiting is not None:
                data, self.waiting = self.waiting, None
                self._parse(data)
            super().shutdown()

        def _behind(self) -> bool:
            """Whether something before it is not answered, or not read."""
            behind = self.cycle is not None and not self.cycle.response_complete
            return behind or self.flow.write_paused

        def _take(self, head: Head) -> Exchange:
            self._exchange = exchange = Exchange(self, way, head)
            self.cycle = cast(RequestResponseCycle, exchange)
            return exchange

        def on_message_begin(self) -> None:
            self._unset_keepalive_if_required()  # the one before it was answered in the same read
            self._between = False
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            head, start = self._plain_head(), self._start
            self._start, self._known = b"", None
            if head is None:
                return super().on_headers_complete()
            self._reading = True
            self._take(head)
            if start:
                self._known = KnownHead.of(start, head)

        def _plain_head(self) -> Head | None:
            """Of a plain request that may come in."""
            path, _, query = self.url.partition(b"?")
            if path != _PATH or b"#" in query or self.parser.get_method() != b"POST":
                return None
            fields: Fields = dict(reversed(self.headers))  # of two the first counts
            size = int(fields.get(b"content-length", LARGEST + 1))
            if size > largest or not UNUSUAL.isdisjoint(fields) or self._behind():
                return None
            try:
                owner = way.callers.owner(fields.get(b"authorization", b"").decode("latin-1"))
            except ServiceError:  # the long way tells it
                return None
            if not way.has_room(owner, size):
                return None
            http_1_0 = self.parser.get_http_version() == "1.0"
            return Head(owner, query, fields, not http_1_0 and self.parser.should_keep_alive())

        def on_body(self, body: bytes) -> None:
            if self._reading and self._exchange is not None:
                self._exchange.receive(body)
            else:
                super().on_body(body)

        def on_message_complete(self) -> None:
            self._between = True
            if self._reading and self._exchange is not None:
                self._reading = False
                self._exchange.start(self._known)
            else:
                super().on_message_complete()

        def on_response_complete(self) -> None:
            if self.pipeline or self.transport.is_closing():
                return super().on_response_complete()
            self.server_state.total_requests += 1
            self.flow.resume_reading()
            idle.add(self, self.loop.time())  # one timer for all of them

        def _unset_keepalive_if_required(self) -> None:
            idle.remove(self)
            super()._unset_keepalive_if_required()

        def connection_lost(self, exc: Exception | None) -> None:
            self.waiting = None
            if self._exchange is not None:
                self._exchange.break_off()
            super().connection_lost(exc)
            if self._exchange is not None:  # they hold each other
                self._exchange = None
                self.cycle = None  # type: ignore[assignment]  # as before the first request

    return DirectHttp
