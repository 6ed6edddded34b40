"""The task behind a stream: connects, sends, receives, and begins again where it broke."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from larnn_client.backoff import Backoff
from larnn_client.connection import Connection, Lost, NotReached
from larnn_client.errors import (
    TRANSIENT,
    Backpressure,
    Draining,
    Expired,
    Internal,
    LarnnError,
    Moved,
    ProtocolError,
    StreamClosed,
    Unknown,
    Unreachable,
)
from larnn_client.journal import Journal
from larnn_client.messages import END, Ended, Floats, Opened, Prediction, encode
from larnn_client.service import Service, reason, wait_at_least

Emit = Literal["last", "every"]
MAX_INTERNAL = 3


@dataclass(frozen=True)
class Wish:
    """What the caller asked for when it opened the stream."""

    model: str | None = None
    resume: str | None = None
    position: int | None = None
    logits: bool = False
    emit: Emit = "last"
    binary: bool = False
    max_in_flight: int = 16
    """Chunks sent before their answers; a binary chunk carries no `acked`, so it goes alone."""
    max_buffered_steps: int = 16_384


class Pump:
    """What one stream shares with the task that runs `run`."""

    def __init__(self, service: Service, wish: Wish) -> None:
        self.opened: Opened | None = None
        self.journal: Journal | None = None
        self.predictions: deque[Prediction] = deque()
        self.unread = 0
        self.ended: int | None = None
        self.ending = False
        self.closed = False
        self._service = service
        self._wish = wish
        self._max_in_flight = 1 if wish.binary else wish.max_in_flight
        self._backoff = Backoff(service.retry_for)
        self._address = 0
        self._failure: LarnnError | None = None
        self._end_sent = False
        self._answered_attempt = False
        self._ghost = False
        self._pressed = False
        self._internal_errors = 0
        self._to_send = asyncio.Event()
        self._news = asyncio.Event()

    def send(self, steps: Floats) -> int:
        """Take a chunk to be sent; its end."""
        assert self.journal is not None
        self.journal.append(steps)
        self.unread += 1
        self._to_send.set()
        return self.journal.end

    def take(self) -> Prediction:
        """The next prediction, which the caller reads."""
        assert self.journal is not None
        prediction = self.predictions.popleft()
        self.journal.read = prediction.position
        self.unread -= 1
        return prediction

    def end(self) -> None:
        """Send no more, and `end` when all is answered."""
        self.check()
        self.ending = True
        self._to_send.set()

    def close(self) -> None:
        """Whoever waits is told that the stream is closed."""
        self.closed = True
        self._failure = self._failure or StreamClosed("the stream was closed here")
        self._tell()

    def check(self) -> None:
        """Raises what ended the stream for good."""
        if self._failure is not None:
            raise self._failure

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for it. Raises what ended the stream before."""
        while not condition():
            self.check()
            if self.ended is not None:
                raise StreamClosed("the stream has ended, and all its predictions are read")
            self._news.clear()
            await self._news.wait()

    async def run(self) -> None:
        """Hold a connection until the stream has ended, or fails for good."""
        try:
            while self.ended is None:
                try:
                    await self._one_connection()
                except (Lost, LarnnError) as error:
                    await self._recover(error)
        except LarnnError as error:
            self._failure = self._failure or error
        except Exception as error:
            self._failure = LarnnError(f"the stream's task failed: {error!r}")
            self._failure.__cause__ = error
        finally:
            self._tell()

    async def _one_connection(self) -> None:
        self._answered_attempt = False
        async with Connection(self._service, self._url(), binary=self._wish.binary) as connection:
            opened = await connection.receive()
            self._answered_attempt = True
            if not isinstance(opened, Opened):
                raise ProtocolError("the service did not begin with `opened`")
            self._begin(opened)
            sending = asyncio.create_task(self._send_all(connection))
            try:
                await self._receive_all(connection)
            finally:
                sending.cancel()
                await asyncio.wait({sending})

    def _begin(self, opened: Opened) -> None:
        if self.journal is None:
            start = self._wish.position if self._wish.position is not None else opened.position
            self.journal = Journal(
                start, consumed=opened.position, max_steps=self._wish.max_buffered_steps
            )
        self.journal.resume(opened.position)
        self.opened = opened
        if self.journal.settled:
            self._backoff.reset()
        self._tell()

    async def _send_all(self, connection: Connection) -> None:
        """Send what there is, as far as the window goes; then wait for more."""
        assert self.journal is not None
        try:
            while True:
                while chunk := self.journal.next(self._max_in_flight):
                    frame = encode(chunk, min(self._acked, chunk.offset), binary=self._wish.binary)
                    await connection.send(frame)
                if self._to_end:
                    self._end_sent = True
                    await connection.send(END)
                    return
                self._to_send.clear()
                await self._to_send.wait()
        except Exception:  # the receiving side finds out, and why
            connection.abort()

    @property
    def _acked(self) -> int:
        """What the caller has read, so that it can come back after a restart of its own; what has
        come, where the service cannot keep so many answers."""
        assert self.journal is not None
        return self.journal.answered if self._pressed else self.journal.read

    @property
    def _to_end(self) -> bool:
        """`end` must not overtake a chunk that has yet to be sent again."""
        return self.ending and self.journal is not None and self.journal.settled

    async def _receive_all(self, connection: Connection) -> None:
        assert self.journal is not None
        while True:
            message = await connection.receive()
            if isinstance(message, Ended):
                self.ended = message.position
                return self._tell()
            if not isinstance(message, Prediction):
                raise ProtocolError("the service opened the stream twice")
            if self.journal.settle(message.position, message.durable):
                self.predictions.append(message)
            self._internal_errors = 0
            self._backoff.reset()
            self._to_send.set()
            self._tell()

    async def _recover(self, error: Exception) -> None:
        """Wait and go on to the next attempt, or raise."""
        if isinstance(error, Expired) and self._end_sent and self._answered_all:
            self.ended = self.journal.end if self.journal else 0  # the answer alone was lost
            return
        if self._elsewhere(error):
            self._address += 1
            return
        if isinstance(error, Lost):
            self._ghost |= not self._answered_attempt and not isinstance(error, NotReached)
        elif not self._may_pass(error):
            raise error
        if self.opened is None or self.opened.survives == "replica":
            self._address += 1
        if not await self._backoff.wait(at_least=wait_at_least(error)):
            if isinstance(error, LarnnError):
                raise error
            raise Unreachable(
                f"no success within {self._service.retry_for:g} s; last: {reason(error)}"
            )

    def _may_pass(self, error: Exception) -> bool:
        if isinstance(error, Draining) and self.opened and self.opened.survives == "connection":
            raise Expired(
                "the replica that held the stream in its memory is shutting down; open a new one",
                "expired",
            ) from error
        if isinstance(error, Backpressure):
            again, self._pressed, self._max_in_flight = not self._pressed, True, 1
            return again
        if isinstance(error, Internal):
            self._internal_errors += 1
            return self._internal_errors < MAX_INTERNAL
        if isinstance(error, Moved):  # by an attempt that this client had given up itself?
            mine, self._ghost = self._ghost, False
            return mine
        return isinstance(error, TRANSIENT)

    def _elsewhere(self, error: Exception) -> bool:
        """Whether the stream to resume may be at one of the addresses not asked yet."""
        gone = isinstance(error, Unknown | Expired)
        return gone and self.opened is None and self._address + 1 < len(self._service.addresses)

    @property
    def _answered_all(self) -> bool:
        return self.journal is not None and self.journal.answered == self.journal.end

    def _url(self) -> str:
        query = {"emit": self._wish.emit, "logits": str(self._wish.logits).lower()}
        resume = self.opened.stream if self.opened else self._wish.resume
        if resume is not None:
            query["stream"] = resume
        elif self._wish.model is not None:
            query["model"] = self._wish.model
        return self._service.url(self._address, f"/stream?{urlencode(query)}")

    def _tell(self) -> None:
        self._news.set()
