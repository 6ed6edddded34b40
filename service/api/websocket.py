"""The server's end of a websocket, bounded: a client that does not read its answers is let go."""

from __future__ import annotations

import asyncio
import logging
import socket
from asyncio import TimerHandle
from asyncio.transports import BaseTransport
from typing import cast

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

from service.api import failures
from service.errors import Backpressure

logger = logging.getLogger(__name__)

AHEAD = "larnn.ahead"
PARSED = 2**12
"""Bytes parsed at once."""
SEND_BUFFER = 2**17
"""Bytes of answers that the system keeps for one client; it would let them grow to megabytes."""


def bounded(patience: float) -> type[asyncio.Protocol]:
    """uvicorn's protocol, which closes with `backpressure` whoever reads nothing for `patience`
    seconds while answers wait. In as many again it can find out why, if it reads after all."""

    class BoundedWebSocket(WebSocketsSansIOProtocol):
        _too_slow: TimerHandle | None = None
        _unparsed = b""

        def connection_made(self, transport: BaseTransport) -> None:
            super().connection_made(transport)
            own = transport.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

        def data_received(self, data: bytes) -> None:
            self._unparsed += data
            self._parse()

        def _parse(self) -> None:
            """As far as to the next message: who sends many at once has them parsed in turn."""
            while self._unparsed and (self.queue.empty() or self.close_sent):
                data, self._unparsed = self._unparsed[:PARSED], self._unparsed[PARSED:]
                super().data_received(data)

        async def receive(self) -> ASGIReceiveEvent:
            """Its message with AHEAD: whether it was there before it was asked for."""
            self._parse()
            ahead = not self.queue.empty()
            message = await super().receive()
            if self._unparsed and not self.read_paused:
                self.read_paused = True
                self.transport.pause_reading()
            return cast(ASGIReceiveEvent, {**message, AHEAD: ahead})

        async def send(self, message: ASGISendEvent) -> None:
            await super().send(message)
            if self.close_sent:  # the close frame that answers comes last
                self._parse()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._too_slow = self.loop.call_later(patience, self._give_up)

        def resume_writing(self) -> None:
            self._stop_waiting()
            super().resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _stop_waiting(self) -> None:
            if self._too_slow is not None:
                self._too_slow.cancel()
                self._too_slow = None

        def _give_up(self) -> None:
            """The close frame waits behind the answers; closing alone would wait for ever."""
            error = Backpressure(f"no answer was read for {patience:g} s; resume, and read them")
            close = failures.FAILURES[error.code].close
            try:
                self.conn.send_text(failures.message(error))
                self.conn.send_close(close)
            except InvalidState:  # it was being closed already
                pass
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = self.disconnected = True  # the app learns that its client has gone
            self.queue.put_nowait({"type": "websocket.disconnect", "code": close})
            self._parse()
            if self.read_paused:  # to hear its close frame: closed unread, answers would be lost
                self.read_paused = False
                self.transport.resume_reading()
            self.close_timer = self.loop.call_later(patience, self.transport.abort)
            logger.info("a client that read no answer for %g s is let go", patience)
            self.writable.set()

    return BoundedWebSocket
