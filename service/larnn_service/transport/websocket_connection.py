"""A connection that speaks websocket, over the sans-IO protocol of the package websockets.

What waits of a client's is counted and bounded, and whoever does not read is let go.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from websockets.exceptions import InvalidState
from websockets.frames import Frame
from websockets.protocol import State
from websockets.server import ServerProtocol

from larnn_service.admission.byte_budget import FREE, Held
from larnn_service.endpoints.stream_session import StreamSession
from larnn_service.errors import Backpressure, Full, ServiceError
from larnn_service.transport.backlog import Backlog
from larnn_service.transport.fragments import Fragments
from larnn_service.transport.hub import Hub
from larnn_service.transport.keepalive import Keepalive
from larnn_service.transport.reading import Reading
from larnn_service.transport.unread import Unread
from larnn_service.wire.error_responses import FAILURES, message
from larnn_service.wire.http import Head, Response

logger = logging.getLogger(__name__)

FIRST_PIECE = 2**11
"""Bytes that are parsed at once of a client that may send tiny frames, as far as is known."""
MESSAGE_COST = 2**7
"""Bytes of memory that a message takes beside its own."""
_FRAMES = 2**16
"""What the frames of a message may cost beside its bytes."""
_INVALID_UTF8, _TOO_LARGE, _NO_PONG = 1007, 1009, 1011


class WebSocketConnection(asyncio.Protocol):
    """A session's channel: one message at a time, the next when the session asks for it."""

    def __init__(self, hub: Hub, head: Head) -> None:
        self._hub, self._limits = hub, hub.limits
        self._protocol = ServerProtocol(state=State.OPEN, max_size=self._limits.max_message)
        self._session: StreamSession | None = hub.app.session(head, self)
        self._held = Held(hub.app.bytes)
        self._backlog = Backlog(FIRST_PIECE)
        self._fragments = Fragments()
        self._in_parser = 0
        """Bytes of a frame that is not whole yet."""
        self._messages: deque[tuple[bytes, bool]] = deque()
        """Whole ones that wait, and whether each is text."""
        self._at_work = 0
        """Bytes of the message that the session has."""
        self._wanted = False
        """The session takes the next message."""
        self._ahead = False
        """What comes next had come before the last answer."""
        self._closing = self._lingering = False
        """No message counts any more; not even a close frame is looked for."""
        self._keepalive = Keepalive()
        self.transport: asyncio.Transport
        self.unread: Unread
        self._reading: Reading

    def begin(self, transport: asyncio.Transport, response: Response, behind: bytes) -> None:
        """Accept the handshake; `behind` is what came behind it."""
        self.transport, self._reading = transport, Reading(transport)
        self._loop = asyncio.get_running_loop()
        self._hub.add(self)
        self.unread = Unread(transport)
        lines = [name + b": " + value + b"\r\n" for name, value in response.headers]
        transport.write(b"".join([self._hub.head_of_response(101), *lines, b"\r\n"]))
        self._hub.pings.add(self, self._loop.time())
        assert self._session is not None
        self._session.begin()
        self._held = Held(self._hub.app.bytes, self._session.owner)
        if behind:
            self.data_received(behind)

    # The session's side.

    def send(self, message: bytes, is_text: bool = True) -> None:
        """Send a message, unless the connection is closing."""
        if not self._closing:
            (self._protocol.send_text if is_text else self._protocol.send_binary)(message)
            self._flush()

    def close(self, code: int) -> None:
        """Send a close frame, and end when the client has answered it."""
        try:
            self._protocol.send_close(code)
        except InvalidState:  # it is being closed already
            return
        self._flush()
        self._stop_working()

    def receive_next(self) -> None:
        """The session takes the next message; one that waits in the next turn of the loop."""
        was_large, self._at_work = self._at_work > FREE, 0
        self._wanted = True
        self._ahead = bool(self._messages or self._backlog.size)
        if self._ahead:
            self._go_on_later()
        elif was_large:
            self._count()

    # The transport's side.

    def data_received(self, data: bytes) -> None:
        self._keepalive.heard = True
        if self._lingering:  # it sends on what nobody wants, and may do so slowly
            self._reading.pause()
            return self._hub.discarding.add(self._reading.resume)
        self._backlog.add(data)
        if self._backlog.is_one_piece and self._parse not in self._hub.turns.waiting:
            self._parse()
        else:
            self._go_on_later()
            self._count()

    def connection_lost(self, exc: Exception | None) -> None:
        self._hub.pings.remove(self)
        self._hub.remove(self)
        self._hub.turns.remove(self._parse)
        self._hub.discarding.remove(self._reading.resume)
        self._closing = True
        self._held.set(0)
        self._protocol.receive_eof()  # its parser ends, which holds the protocol, and that a buffer
        session, self._session = self._session, None
        if session is not None:  # they hold each other
            session.gone()

    def pause_writing(self) -> None:
        self.unread.pause()
        self._hub.deaf.add(self, self._loop.time())
        self._count()

    def resume_writing(self) -> None:
        self.unread.resume()
        self._hub.deaf.remove(self)
        self._go_on_later()

    # Frames to messages.

    def _parse(self) -> None:
        """One piece, and hand the message over that is whole, while the client reads."""
        backlog = self._backlog
        if backlog.size and self._may_parse():
            self._feed(backlog.next())
            backlog.parsed()
        self._deliver()
        if backlog.size and self._may_parse():
            self._go_on_later()
        self._count()

    def _may_parse(self) -> bool:
        """Whether no whole message waits, and the client reads."""
        return not (self._messages or self.unread.paused)

    def _feed(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        self._in_parser += len(data)
        for event in self._protocol.events_received():
            self._in_parser = 0  # but for less than a piece of the next one
            assert isinstance(event, Frame)
            self._take(event)
        self._flush()

    def _go_on_later(self) -> None:
        if not self.transport.is_closing():
            self._hub.turns.add(self._parse)

    def _take(self, frame: Frame) -> None:
        """A frame that the protocol has answered, where it is a ping or a close frame."""
        if self._closing:
            return
        try:
            message = self._fragments.add(frame)
        except UnicodeDecodeError:
            self._protocol.fail(_INVALID_UTF8, "a text message is not UTF-8")
            return self._stop_working()
        if self._fragments.size > self._limits.max_message + _FRAMES:
            self._protocol.fail(_TOO_LARGE, "the message has too many frames")
            return self._stop_working()
        if message is not None:
            self._messages.append(message)

    def _deliver(self) -> None:
        """Hand the next message over, if the session takes one and the client reads."""
        if not self._wanted or not self._messages or self._closing or self.unread.paused:
            return
        message, is_text = self._messages.popleft()
        ahead, self._ahead = self._ahead, False
        self._wanted, self._at_work = False, len(message)
        assert self._session is not None
        self._session.receive(message, is_text, ahead)

    def _count(self) -> None:
        """All that came and is not answered. While more than a little waits, no more is read."""
        waiting = self._backlog.size
        if self._messages:
            waiting += sum([len(message) + MESSAGE_COST for message, _ in self._messages])
        if waiting > FREE:
            self._reading.pause()
        elif self._reading.paused:
            self._reading.resume()
        held = self._at_work + waiting + self._fragments.size + self._in_parser
        if self.unread.paused:
            held += self.unread.size
        try:
            self._held.set(held)
        except Full as error:
            self._let_go(error)

    # Keeping alive.

    def ping(self) -> None:
        """The ping interval is over: ping, or look after the ping that was sent."""
        if self._closing:
            return
        what = self._keepalive.next(behind=self._backlog.size > 0 or self._reading.paused)
        if what == "dead":
            self._protocol.fail(_NO_PONG, "keepalive ping timeout")
            self._flush()
            self._stop_working()
            return self.transport.close()
        if what == "ping":
            self._protocol.send_ping(b"")
            self._flush()
        self._hub.pings.add(self, self._loop.time())

    # The end.

    def drain(self) -> None:
        """The engine's drain has told the session; what has none is closed."""
        if self._session is None:
            self.transport.close()

    def abort(self) -> None:
        """Close now."""
        self.transport.abort()

    def give_up(self) -> None:
        """The client does not read."""
        patience = self._limits.send_timeout
        logger.info("a client that read no answer for %g s is let go", patience)
        self._let_go(Backpressure(f"no answer was read for {patience:g} s; resume, and read them"))

    def _let_go(self, error: ServiceError) -> None:
        """Say why, behind the answers; nothing more is heard, and what has come is forgotten. The
        connection stays until the client has read that, or its time is over."""
        if self._lingering or self.transport.is_closing():
            return self.transport.abort()
        self._lingering = True
        if not self._closing:
            self._protocol.send_text(message(error))
        self._protocol.fail(FAILURES[error.code].close)
        self._backlog.clear()
        self._in_parser = 0
        self._flush()
        self._stop_working()
        session, self._session = self._session, None
        if session is not None:
            session.gone()

    def _stop_working(self) -> None:
        """No message counts any more; the client's close frame is still to be heard, in time."""
        if not self._closing:
            self._closing = True
            self._hub.closing.add(self, self._loop.time())
        self._messages.clear()
        self._fragments.clear()
        self._at_work = 0
        self._count()
        if self._backlog.size:
            self._go_on_later()

    def _flush(self) -> None:
        """Write what the protocol has to send, and see whether that was the end."""
        if not (data := self._protocol.data_to_send()):
            return
        if not self.transport.is_closing():
            self.transport.write(data[0] if len(data) == 1 else b"".join(data))
        state = self._protocol.state
        if state is State.OPEN:
            return
        if not self._closing:  # the client closes
            self._stop_working()
        if state is State.CLOSED or b"" in data:
            if self._lingering and self.transport.can_write_eof():
                self.transport.write_eof()
            else:
                self.transport.close()
