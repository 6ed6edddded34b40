"""A websocket that offers plain messages to the stream's short way, before its application waits
for them."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import OPEN

from larnn_service.admission.byte_budget import FREE
from larnn_service.api.chunk_turn import ChunkTurn
from larnn_service.api.frames import plain_message
from larnn_service.api.shortcut import Taker
from larnn_service.engine.streams.stream import Stream
from larnn_service.wire.stream_decoder import Asked, Reader

LARGEST = FREE
"""Bytes of a message on the short way: so few need not be counted."""
_HEADER = 14
"""Bytes of a frame before its message at most."""


class OfferingWebSocket(WebSocketsSansIOProtocol):
    """What is not plainly the message that is asked for takes the long way, `receive_frames`."""

    largest: ClassVar[int]
    """Bytes of a message that is offered."""
    turn: ClassVar[ChunkTurn | None]
    """Where messages are read together; none: each alone."""
    waiting: bytes | None = None
    """What may be plain, until the turn's end."""
    taken = False
    """A message is at work whose answer is to come."""
    unparsed = b""
    """What has come and was not looked at."""
    asked = False
    """The application waits for a message that has not come."""
    _taker: Taker | None = None

    @abstractmethod
    def receive_frames(self, data: bytes) -> None:
        """Through the library's parser to the application; behind the answer to what is taken."""

    @abstractmethod
    def resume_reading(self) -> None:
        """There is room for more."""

    def offer_to(self, taker: Taker) -> None:
        self._taker = taker

    def offer_no_more(self) -> None:
        """The connection is lost. Who sends and goes is heard; what was sent ahead is not."""
        if self.waiting is not None:
            self.read_alone()
        self._taker, self.unparsed = None, b""

    def arrive(self, data: bytes) -> None:
        """It may be a plain message, or the beginning of one."""
        if self.waiting is not None:
            data, self.waiting = self.waiting + data, None
        if len(data) > self.largest + _HEADER or not self._may_be_plain():
            return self.receive_frames(data)
        self.waiting = data
        if self.turn is None:
            self.read_alone()
        else:
            self.turn.add(self)

    def _may_be_plain(self) -> bool:
        """Whether a message that comes now is the one that is asked for."""
        conn = self.conn
        return (
            self._taker is not None
            and self.asked
            and not self.taken
            and not self.unparsed
            and not conn.reader.buffer
            and conn.current_size is None
            and self.queue.empty()
            and conn.state is OPEN
            and self.writable.is_set()
        )

    @property
    def reader(self) -> Reader:
        assert self._taker is not None
        return self._taker.reader

    @property
    def stream(self) -> Stream:
        assert self._taker is not None
        return self._taker.stream

    def ask(self, asked: Asked) -> None:
        data, self.waiting = self.waiting or b"", None
        still_open = self.asked and self.conn.state is OPEN
        if self._taker is None or not still_open or not self._taker.ask(asked):
            return self.receive_frames(data)
        self.taken = True

    def read_alone(self) -> None:
        data, self.waiting = self.waiting or b"", None
        message = plain_message(data, self.largest) if self._may_be_plain() else None
        if message is None or self._taker is None or not self._taker.take(message):
            return self.receive_frames(data)
        self.taken = True

    def give_up(self) -> None:
        self.transport.abort()

    def answer(self, frame: bytes | None) -> None:
        """To what is taken, if it has one; then comes what came meanwhile."""
        self.taken = False
        if self._taker is None:
            return
        if frame is not None and self.conn.state is OPEN and not self.disconnected:
            self.transport.write(frame)
        if self.unparsed:
            data, self.unparsed = self.unparsed, b""
            self.resume_reading()
            self.arrive(data)
