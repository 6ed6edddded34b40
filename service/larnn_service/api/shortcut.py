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
from functools import partial
from typing import Protocol
from weakref import ref

import msgspec

from larnn_service.api.frames import text_frame
from larnn_service.api.predictions import Prediction, Predictions
from larnn_service.endpoints.stream_inference import Wish, chunks_observed, prediction
from larnn_service.engine.engine import Engine, Told
from larnn_service.engine.models.registry import key
from larnn_service.engine.streams.chunk import Advanced
from larnn_service.engine.streams.stream import Stream
from larnn_service.errors import Draining, Expired, Moved, ServiceError
from larnn_service.interfaces import Model
from larnn_service.telemetry.calls import concerns
from larnn_service.wire import error_responses
from larnn_service.wire.stream_decoder import Asked, Reader

EXTENSION = "larnn.messages"
"""Where the scope has the Messages."""
ENDS_CONNECTION = (Expired, Moved, Draining)
"""After any other error the stream stands where it stood, and lives on."""


class Taker(Protocol):
    """Is offered messages. One that it takes is answered by `Messages.answer`, later."""

    @property
    def reader(self) -> Reader:
        """By which they are read."""
        ...

    @property
    def stream(self) -> Stream: ...

    def take(self, message: str | bytes) -> bool:
        """Whether it takes that message."""
        ...

    def ask(self, asked: Asked) -> bool:
        """The same of one that has been read."""
        ...


class Messages(Protocol):
    """A websocket that offers plain messages before it lets its application wait for them."""

    def offer_to(self, taker: Taker) -> None:
        """From now on."""
        ...

    def answer(self, frame: bytes | None) -> None:
        """To the message that was taken, None where it has no answer; then there may be the next
        one."""
        ...


class Shortcut:
    """Of one connection, while its conversation waits for a message."""

    def __init__(
        self, engine: Engine, stream: Stream, reader: Reader, predictions: Predictions | None
    ) -> None:
        """`predictions` are written together; none: each alone."""
        self.answered = math.inf
        """When the last message was, on either way."""
        self.stream, self.reader = stream, reader
        self._engine, self._predictions = engine, predictions
        self._busy = False
        self._settled: asyncio.Future[None] | None = None
        self._model: ref[Model] | None = None

    def open(self, messages: Messages, then: Callable[[Exception | None], None]) -> None:
        """Take what is offered, in this context. `then` is called after each answer, with why the
        connection has to end where it has."""
        if self._engine.streams.metrics.traces is None:  # else each chunk has a span of its own
            self._messages, self._then, self._context = messages, then, copy_context()
            messages.offer_to(self)

    @property
    def busy(self) -> bool:
        """Whether a chunk is on its way."""
        return self._busy

    async def settled(self) -> None:
        """Wait for it."""
        if self._busy:
            self._settled = asyncio.get_running_loop().create_future()
            await self._settled

    def take(self, message: str | bytes) -> bool:
        try:
            asked = self.reader.read(message, self.stream)
        except Exception:  # the long way says what it is
            return False
        return asked is not None and self.ask(asked)

    def ask(self, asked: Asked) -> bool:
        if self._busy or asked.wish.explain:
            return False
        if self._model is None or self._model() is not self.stream.model:
            self._concerns(self.stream.model)
        then = partial(self._end, asked.wish, time.perf_counter())
        if not self._engine.begin(self.stream, asked.chunk, then):
            return False
        self._engine.pacer.begin(time.monotonic() - self.answered)
        self._busy = True
        return True

    def _concerns(self, model: Model) -> None:
        """The connection's stream is of this version now."""
        self._model = ref(model)
        self._context.run(concerns, *key(model), self.stream.id)
        self._chunks = self._context.run(chunks_observed)

    def _end(self, wish: Wish, start: float, told: Told) -> None:
        if self._predictions is not None and isinstance(told, Advanced) and wish.emit == "last":
            then = partial(self._answer, start)
            self._predictions.add(self.stream.model, Prediction(told, wish.logits, then))
        else:
            self._context.run(self._tell, wish, start, told)

    def _tell(self, wish: Wish, start: float, told: Told) -> None:
        if isinstance(told, Advanced):
            self._answer(
                start, text_frame(msgspec.json.encode(prediction(self.stream, told, wish)))
            )
        elif isinstance(told, ServiceError) and not isinstance(told, ENDS_CONNECTION):
            self._answer(None, text_frame(error_responses.message(told)))
        else:
            self._answer(None, told)

    def _answer(self, start: float | None, frame: bytes | Exception) -> None:
        """The frame, or what ends the connection."""
        self._busy = False
        self._engine.pacer.end()
        self.answered = time.monotonic()
        if start is not None and self._chunks is not None:
            self._chunks.observe(time.perf_counter() - start)
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)
        told, reason = (frame, None) if isinstance(frame, bytes) else (None, frame)
        self._then(reason)
        self._messages.answer(told)  # last: the next message may be taken within
