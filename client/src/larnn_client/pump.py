"""The task behind a stream: connects, sends, receives, and begins again where it broke."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from larnn_client.answers import Prediction
from larnn_client.connection import Connection, Lost
from larnn_client.errors import Expired, LarnnError, ProtocolError, StreamClosed
from larnn_client.inputs import AS_THE_MODEL, Measured
from larnn_client.journal import Journal
from larnn_client.messages import END, Binary, Ended, Opened, Steps, encode
from larnn_client.reading import AnswerReader, Emit
from larnn_client.recovery import Recovery
from larnn_client.service import Service

MAX_INTERNAL = 3


@dataclass(frozen=True)
class Wish:
    """What the caller asked for when it opened the stream."""

    model: str | None = None
    resume: str | None = None
    position: int | None = None
    logits: bool = False
    emit: Emit = "last"
    outputs: tuple[str, ...] = ()
    """The names of further outputs."""
    context: Mapping[str, Any] = field(default_factory=dict)
    """As JSON has it."""
    measured: Measured = AS_THE_MODEL
    binary: Binary = True
    max_in_flight: int = 16
    """Chunks sent before their answers."""
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
        self.keeps_since: int | None = None
        """The service keeps answers from here on until `acknowledge`, not until they are read."""
        self._service = service
        self._wish = wish
        self._recovery = Recovery(service)
        self._failure: LarnnError | None = None
        self._end_sent = False
        self._to_send = asyncio.Event()
        self._news = asyncio.Event()

    @property
    def binary(self) -> Binary:
        """How chunks travel."""
        return self._wish.binary

    def send(self, steps: Steps, most: int | None = None) -> int:
        """Take steps to be sent, in chunks of at most so many; their end. Raises BufferFull."""
        assert self.journal is not None
        self.unread += self.journal.append(steps, most)
        self._to_send.set()
        return self.journal.end

    def take(self) -> Prediction:
        """The next prediction, which the caller reads."""
        assert self.journal is not None
        prediction = self.predictions.popleft()
        self.journal.read = prediction.position
        if self.keeps_since is None:
            self.journal.acknowledged = prediction.position
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
            while self.ended is None and self._failure is None:
                try:
                    await self._one_connection()
                except (Lost, LarnnError) as error:
                    if not self._had_ended(error):
                        await self._recovery.after(error)
        except LarnnError as error:
            self._failure = self._failure or error
        except Exception as error:
            self._fail(error)
        finally:
            self._tell()

    async def _one_connection(self) -> None:
        self._recovery.begins()
        async with Connection(self._service, self._url(), binary=self._wish.binary) as connection:
            opened = await connection.receive()
            if not isinstance(opened, Opened):
                raise ProtocolError("the service did not begin with `opened`")
            self._begin(opened)
            wish = self._wish
            connection.reader = AnswerReader(opened.outputs, wish.outputs, wish.emit, wish.logits)
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
            if self.keeps_since is not None:
                self.journal.acknowledged = min(start, self.keeps_since)
        self.journal.resume(opened.position)
        self.opened = opened
        self._recovery.opened(opened)
        if self.journal.settled:
            self._recovery.succeeded()
        self._tell()

    async def _send_all(self, connection: Connection) -> None:
        """Send what there is, as far as the window goes; then wait for more."""
        assert self.journal is not None
        try:
            while True:
                while chunk := self.journal.next(self._window):
                    acked = min(self._acked, chunk.offset)
                    await connection.send(encode(chunk, acked, binary=connection.binary))
                if self._to_end:
                    self._end_sent = True
                    await connection.send(END)
                    return
                self._to_send.clear()
                await self._to_send.wait()
        except (Lost, LarnnError):
            pass  # the receiving side finds out, and why
        except Exception as error:
            self._fail(error)
            connection.abort()

    @property
    def _window(self) -> int:
        """Chunks in flight; one alone where the service cannot keep so many answers."""
        return 1 if self._recovery.pressed else self._wish.max_in_flight

    @property
    def _acked(self) -> int:
        """What the caller has read or acknowledged, so that it can come back after a restart of its
        own; what has come, where the service cannot keep so many answers and may forget them."""
        assert self.journal is not None
        forgets = self._recovery.pressed and self.keeps_since is None
        return self.journal.answered if forgets else self.journal.acknowledged

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
            self._recovery.succeeded()
            self._to_send.set()
            self._tell()

    def _had_ended(self, error: Exception) -> bool:
        """Whether `end` was taken, and its answer alone was lost."""
        journal = self.journal
        if isinstance(error, Expired) and self._end_sent and journal is not None:
            self.ended = journal.end if journal.answered == journal.end else None
        return self.ended is not None

    def _url(self) -> str:
        query = {"emit": self._wish.emit, "logits": str(self._wish.logits).lower()}
        query |= self._wish.measured.fields  # compared where the stream has been told already
        if self._wish.outputs:
            query["outputs"] = ",".join(self._wish.outputs)
        resume = self.opened.stream if self.opened else self._wish.resume
        if resume is not None:
            query["stream"] = resume
            return self._address(query)
        if self._wish.model is not None:
            query["model"] = self._wish.model
        if self._wish.context:
            query["context"] = json.dumps(self._wish.context, separators=(",", ":"))
        return self._address(query)

    def _address(self, query: Mapping[str, object]) -> str:
        text = urlencode(query, safe=",:[]")
        return self._service.url(self._recovery.address, f"/stream?{text}")

    def _fail(self, error: Exception) -> None:
        """A mistake of this library: say so, rather than try again."""
        self._failure = LarnnError(f"the stream's task failed: {error!r}")
        self._failure.__cause__ = error

    def _tell(self) -> None:
        self._news.set()
