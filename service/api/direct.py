"""The short way of POST /classify: from the HTTP parser to the door and back, without ASGI.

A scope, its messages and the layers of middleware cost more than a small network. What is not
plainly such a request takes the long way, through the application, which answers it the same.
"""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.api.classify import PATH
from service.api.exchange import Exchange, Fields, ShortWay
from service.errors import ServiceError

LARGEST = 2**16
"""Bytes of a body. What is larger is read at a pace, on the long way."""
UNUSUAL = {b"expect", b"origin", b"sec-websocket-protocol", b"transfer-encoding", b"upgrade"}
"""Headers that ask for more than an answer."""
_PATH = PATH.encode()


def direct(way: ShortWay) -> type[asyncio.Protocol]:
    """uvicorn's protocol with the short way in it."""

    class DirectHttp(HttpToolsProtocol):
        _exchange: Exchange | None = None
        """The last request that took the short way."""
        _reading = False
        """Whether its body is on its way."""

        def on_headers_complete(self) -> None:
            if (exchange := self._taken()) is None:
                return super().on_headers_complete()
            self._exchange, self._reading = exchange, True
            self.cycle = cast(RequestResponseCycle, exchange)

        def _taken(self) -> Exchange | None:
            """An exchange where the request is a plain one that may come in."""
            path, _, query = self.url.partition(b"?")
            if path != _PATH or b"#" in query or self.parser.get_method() != b"POST":
                return None
            fields: Fields = dict(reversed(self.headers))  # of two the first counts
            size = int(fields.get(b"content-length", LARGEST + 1))
            if size > min(LARGEST, way.max_body) or not UNUSUAL.isdisjoint(fields):
                return None
            behind = self.cycle is not None and not self.cycle.response_complete
            if behind or self.flow.write_paused:
                return None
            try:
                owner = way.callers.owner(fields.get(b"authorization", b"").decode("latin-1"))
                way.callers.check_room(owner)
                way.waiting.check(size)
            except ServiceError:  # the long way tells it
                return None
            exchange = Exchange(self, way, owner, query, fields)
            http_1_0 = self.parser.get_http_version() == "1.0"
            exchange.keep_alive = not http_1_0 and self.parser.should_keep_alive()
            return exchange

        def on_body(self, body: bytes) -> None:
            if self._reading and self._exchange is not None:
                self._exchange.receive(body)
            else:
                super().on_body(body)

        def on_message_complete(self) -> None:
            if self._reading and self._exchange is not None:
                self._reading = False
                self._exchange.start()
            else:
                super().on_message_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            if self._exchange is not None:
                self._exchange.break_off()
            super().connection_lost(exc)
            if self._exchange is not None:  # they hold each other
                self._exchange = None
                self.cycle = None  # type: ignore[assignment]  # as before the first request

    return DirectHttp
