"""The server's end of a websocket, bounded: what waits of a client's, and for how long."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from asyncio import Handle, TimerHandle
from asyncio.transports import BaseTransport
from typing import Any, cast

from uvicorn._types import ASGIReceiveEvent, ASGISendEvent
from websockets.exceptions import InvalidState

from larnn_service.admission.byte_budget import Held, WaitingBytes
from larnn_service.api.chunk_turn import ChunkTurn
from larnn_service.api.offering import LARGEST, OfferingWebSocket
from larnn_service.api.shortcut import EXTENSION
from larnn_service.backend.chunks import can_read_chunks
from larnn_service.errors import Backpressure, Full, ServiceError
from larnn_service.wire import error_responses

logger = logging.getLogger(__name__)

AHEAD = "larnn.ahead"
READ = 2**16
"""Bytes read at once: the rest of what a client has sent ahead stays with the system."""
PARSED = 2**12
"""Bytes parsed at once."""
TURN = 0.001
"""Seconds of parsing, then others have theirs: a read may hold ten thousand small frames."""
SEND_BUFFER = 2**17
"""Bytes of answers that the system keeps for one client; it would let them grow to megabytes."""


def bounded(patience: float, waiting: WaitingBytes, max_message: int) -> type[asyncio.Protocol]:
    """uvicorn's protocol, which closes with `backpressure` whoever reads nothing for `patience`
    seconds while answers wait, and with `full` whose message finds no room among what is waiting.
    In `patience` seconds more it can find out why, if it reads."""
    arriving = memoryview(bytearray(READ))  # one for all: it is emptied as soon as it is filled

    class BoundedWebSocket(OfferingWebSocket):
        largest = min(LARGEST, max_message)
        turn = ChunkTurn(largest) if can_read_chunks() else None
        _too_slow: TimerHandle | None = None
        _heard = False
        """Something has come since the last ping."""
        _doubted = False
        """Nothing has, in time."""
        _later: Handle | None = None
        """Parses on in the next turn."""
        _message = 0
        """Bytes of the message in work."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self._sizes: list[int] = []
            """Of the messages that wait."""
            self._held = Held(waiting)

        def connection_made(self, transport: BaseTransport) -> None:
            super().connection_made(transport)
            own = transport.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

        def get_buffer(self, sizehint: int) -> memoryview:
            return arriving

        def buffer_updated(self, count: int) -> None:
            self.data_received(bytes(arriving[:count]))

        def data_received(self, data: bytes) -> None:
            self._heard = True
            self.arrive(data)

        def receive_frames(self, data: bytes) -> None:
            self.unparsed += data
            if not self.taken:
                self._parse()
            if self.unparsed:
                self._pause_reading()
            try:
                self._count()
            except Full as error:
                self._let_go(error)

        async def run_asgi(self) -> None:
            scope = cast(dict[str, Any], self.scope)
            scope[EXTENSION] = self
            try:
                await super().run_asgi()
            finally:
                del scope[EXTENSION]  # they hold each other

        def _count(self) -> None:
            """All that came and is not answered. Raises Full."""
            if self.handshake_complete and not self.close_sent and not self.disconnected:
                incomplete = len(self.conn.reader.buffer) + sum(map(len, self.frames))
                complete = self._message + sum(self._sizes)
                self._held.set(complete + incomplete + len(self.unparsed))

        def send_receive_event_to_app(self) -> None:
            self._sizes.append(sum(map(len, self.frames)))
            super().send_receive_event_to_app()

        def _parse(self) -> None:
            """As far as to the next message: who sends many at once has them parsed in turn."""
            until = time.perf_counter() + TURN
            while self.unparsed and (self.queue.empty() or self.close_sent):
                if time.perf_counter() > until:
                    self._later = self._later or self.loop.call_soon(self._parse_on)
                    return
                data, self.unparsed = self.unparsed[:PARSED], self.unparsed[PARSED:]
                super().data_received(data)

        def _parse_on(self) -> None:
            self._later = None
            self.receive_frames(b"")
            if not self.unparsed and (self.queue.empty() or self.close_sent):
                self.resume_reading()

        async def receive(self) -> ASGIReceiveEvent:
            """Its message with AHEAD: whether it was there before it was asked for."""
            self._message = 0
            self._parse()
            ahead = not self.queue.empty()
            if not ahead and not self.unparsed:  # what was left was no whole message
                self.resume_reading()
            self._count()
            if ahead:  # one message in a turn of the loop, whatever comes of it
                await asyncio.sleep(0)
            self.asked = True
            try:
                message = await super().receive()
            finally:
                self.asked = False
            if message["type"] == "websocket.receive":
                self._message = self._sizes.pop(0)
            if self.unparsed:
                self._pause_reading()
            return cast(ASGIReceiveEvent, {**message, AHEAD: ahead})

        def _pause_reading(self) -> None:
            if not self.read_paused:
                self.read_paused = True
                self.transport.pause_reading()

        def resume_reading(self) -> None:
            if self.read_paused:
                self.read_paused = False
                self.transport.resume_reading()

        async def send(self, message: ASGISendEvent) -> None:
            await super().send(message)
            if self.close_sent:  # the close frame that answers comes last
                self._parse()

        def send_keepalive_ping(self) -> None:
            self._heard = self._doubted = False
            super().send_keepalive_ping()

        def keepalive_timeout(self) -> None:
            """Who sends ahead is alive: its answer lies behind what is not read yet. Half the time
            more for who is not heard: it may be the loop that was held, with the answer before it.
            """
            assert self.ping_timeout is not None
            if self.read_paused or self._heard:
                self._heard = self._doubted = False
                self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
            elif not self._doubted:
                self._doubted = True
                self.pong_timer = self.loop.call_later(
                    self.ping_timeout / 2, self.keepalive_timeout
                )
            else:
                super().keepalive_timeout()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._too_slow = self.loop.call_later(patience, self._give_up)

        def resume_writing(self) -> None:
            self._stop_waiting()
            super().resume_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            self.offer_no_more()
            self._stop_waiting()
            self._held.set(0)
            if self._later is not None:
                self._later.cancel()
            super().connection_lost(exc)

        def _stop_waiting(self) -> None:
            if self._too_slow is not None:
                self._too_slow.cancel()
                self._too_slow = None

        def _give_up(self) -> None:
            logger.info("a client that read no answer for %g s is let go", patience)
            text = f"no answer was read for {patience:g} s; resume, and read them"
            self._let_go(Backpressure(text))

        def _let_go(self, error: ServiceError) -> None:
            """The close frame waits behind the answers; closing alone would wait for ever."""
            close = error_responses.FAILURES[error.code].close
            try:
                self.conn.send_text(error_responses.message(error))
                self.conn.send_close(close)
            except InvalidState:  # it was being closed already
                pass
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = self.disconnected = True  # the app learns that its client has gone
            self.queue.put_nowait({"type": "websocket.disconnect", "code": close})
            self._held.set(0)
            self._parse()
            self.resume_reading()  # to hear its close frame: closed unread, answers would be lost
            self.close_timer = self.loop.call_later(patience, self.transport.abort)
            self.writable.set()

    return BoundedWebSocket
