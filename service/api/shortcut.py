"""The short way of a chunk: from its frame to the answer's, by callbacks.

To wake a task for each message, and again for its reply, costs as much as reading, running and
answering it. What is not plainly the next chunk takes the long way, through the conversation.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextvars import copy_context
from typing import Protocol

import msgspec

from service.api import failures
from service.api.asked import Reader
from service.api.frames import text_frame
from service.api.predict import Wish, observe, prediction
from service.api.predictions import Prediction, Predictions
from service.engine.chunk import Advanced
from service.engine.engine import Engine, Told
from service.engine.stream import Stream
from service.errors import Draining, Expired, Moved, ServiceError

EXTENSION = "larnn.messages"
"""Where the scope has the Messages."""
ENDS_CONNECTION = (Expired, Moved, Draining)
"""After any other error the stream stands where it stood, and lives on."""

Take = Callable[[str | bytes], bool]


class Messages(Protocol):
    """A websocket that offers plain messages before it lets its application wait for them."""

    def offer_to(self, take: Take) -> None:
        """From now on. A message that `take` is true of is answered by `answer`, later."""
        ...

    def answer(self, frame: bytes) -> None:
        """To the message that was taken; then there may be the next one."""
        ...


class Shortcut:
    """Of one connection, while its conversation waits for a message."""

    def __init__(
        self, engine: Engine, stream: Stream, reader: Reader, predictions: Predictions | None
    ) -> None:
        """`predictions` are written together; none: each alone."""
        self.answered = math.inf
        """When the last message was, on either way."""
        self._engine, self._stream, self._reader = engine, stream, reader
        self._predictions = predictions
        self._busy = False
        self._settled: asyncio.Future[None] | None = None

    def open(self, messages: Messages, then: Callable[[Exception | None], None]) -> None:
        """Take what is offered, in this context. `then` is called after each answer, with why the
        connection has to end where it has."""
        if self._engine.streams.metrics.traces is None:  # else each chunk has a span of its own
            self._messages, self._then, self._context = messages, then, copy_context()
            messages.offer_to(lambda message: self._context.run(self._take, message))

    @property
    def busy(self) -> bool:
        """Whether a chunk is on its way."""
        return self._busy

    async def settled(self) -> None:
        """Wait for it."""
        if self._busy:
            self._settled = asyncio.get_running_loop().create_future()
            await self._settled

    def _take(self, message: str | bytes) -> bool:
        if self._busy:
            return False
        try:
            asked = self._reader.read(message, self._stream)
        except Exception:  # the long way says what it is
            return False
        if asked is None or asked.wish.explain:
            return False
        wish, start = asked.wish, time.perf_counter()

        def then(told: Told) -> None:
            self._context.run(self._end, wish, start, told)

        if not self._engine.begin(self._stream, asked.chunk, then):
            return False
        self._engine.pacer.begin(time.monotonic() - self.answered)
        self._busy = True
        return True

    def _end(self, wish: Wish, start: float, told: Told) -> None:
        if self._predictions is not None and isinstance(told, Advanced) and wish.emit == "last":

            def then(frame: bytes | Exception) -> None:
                self._context.run(self._answer, start, frame)

            return self._predictions.add(self._stream.model, Prediction(told, wish.logits, then))
        if isinstance(told, Advanced):
            self._answer(
                start, text_frame(msgspec.json.encode(prediction(self._stream, told, wish)))
            )
        elif isinstance(told, ServiceError) and not isinstance(told, ENDS_CONNECTION):
            self._answer(None, text_frame(failures.message(told)))
        else:
            self._answer(None, told)

    def _answer(self, start: float | None, frame: bytes | Exception) -> None:
        """The frame, or what ends the connection."""
        self._busy = False
        self._engine.pacer.end()
        reason: Exception | None = None
        if isinstance(frame, bytes):
            if start is not None:
                observe(start)
            self._messages.answer(frame)
        else:
            reason = frame
        self.answered = time.monotonic()
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)
        self._then(reason)
