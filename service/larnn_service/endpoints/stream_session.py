"""WS /stream: chunks of any size in, one answer each out; the state stays between them.

A session is one connection on one stream, whatever transport brings its messages. It takes a
message only when the last one is answered.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from functools import partial

import msgspec

from larnn_service.admission.byte_budget import Held
from larnn_service.endpoints.channel import Channel
from larnn_service.endpoints.decoding import Abandon
from larnn_service.endpoints.exchange import Pipeline, request_id
from larnn_service.endpoints.stream_opening import open_or_resume, opened
from larnn_service.engine.engine import Engine
from larnn_service.engine.models.registry import key
from larnn_service.engine.streams.advance import Advanced
from larnn_service.engine.streams.stream import Stream
from larnn_service.errors import Draining, Expired, Internal, Moved, ServiceError
from larnn_service.interfaces import Model
from larnn_service.settings import Settings
from larnn_service.tasks import Tasks, outcome_of
from larnn_service.telemetry.calls import CALL, Call
from larnn_service.telemetry.metrics import Observed
from larnn_service.telemetry.tags import tag
from larnn_service.wire import subprotocols
from larnn_service.wire.answer_arrays import encode_arrays
from larnn_service.wire.answer_options import options_of, usual
from larnn_service.wire.error_responses import FAILURES, message
from larnn_service.wire.http import Head
from larnn_service.wire.large_json import LARGE
from larnn_service.wire.stream_answers import encode_prediction
from larnn_service.wire.stream_decoder import ChunkRequest, StreamDecoder
from larnn_service.wire.stream_schemas import EndedMessage

logger = logging.getLogger(__name__)

PATH = "/stream"
ENDS_CONNECTION = (Expired, Moved, Draining)
"""After any other error the stream stands where it stood, and lives on."""
NORMAL_CLOSE = 1000
Told = bytes | int | Exception
"""What comes of a message: the answer's bytes, the position at the end, or an error."""
Answer = Callable[[Told], None]


class StreamSession:
    """One websocket on one stream."""

    def __init__(
        self, pipeline: Pipeline, engine: Engine, settings: Settings, head: Head, channel: Channel
    ) -> None:
        self._pipeline, self._engine, self._channel = pipeline, engine, channel
        self._head, self._settings = head, settings
        self._call = Call(pipeline.metrics, PATH, request_id(head.headers))
        traces = pipeline.metrics.traces
        self._span = None
        if traces is not None:
            self._span = traces.request("WS", PATH, head.path, head.query_string, head.headers)
        self._tasks = Tasks()
        self._stream: Stream | None = None
        self._decoder: StreamDecoder | None = None
        self.owner = ""
        self._held: Held | None = None
        self._interruption: ServiceError | None = None
        self._busy = True
        """Something is on its way that ends with `_next`; at first the opening."""
        self._over = self._tells_arrays = False
        self._answered = math.inf
        """When the last message was answered, or the greeting sent, by the monotonic clock."""
        self._model: Model | None = None
        self._observed: Observed | None = None
        self._abandon: Abandon | None = None
        """Of a large message that waits to be decoded."""

    def begin(self) -> None:
        """The handshake is accepted: admit the caller, open or resume the stream, and greet."""
        try:
            self.owner = self._pipeline.gate.admit(self._head)
        except ServiceError as error:
            return self._close(error)
        self._held = self._pipeline.gate.begin(self.owner)
        token = CALL.set(self._call)
        self._tasks.start(self._open())
        CALL.reset(token)

    async def _open(self) -> None:
        query, engine = self._head.query, self._engine
        try:
            offered = subprotocols.offered(self._head.headers.get("sec-websocket-protocol", ""))
            chosen = subprotocols.chosen(offered)
            self._tells_arrays = subprotocols.form(chosen).all_binary
            options = options_of(query, usual(self._settings))
            self._decoder = StreamDecoder(chosen, options, self._settings.max_chunk_steps)
            stream = await open_or_resume(engine, query, self.owner)
            self._call.concerns(*key(stream.model), stream.id)
            if self._over:
                return
            self._stream = stream
            engine.streams.attach(stream, self)
            logger.debug("a stream's connection is open at %d", stream.checkpoint.position)
            async with stream.lock:  # what an older connection had in flight settles first
                greeting = msgspec.json.encode(opened(engine, stream))
        except Exception as error:
            return self._fail(error)
        if not self._over:
            self._answered = time.monotonic()
            self._channel.send(greeting)
            self._next()

    def interrupt(self, error: ServiceError) -> None:
        """Close for this reason: at once where the client has its answers, else behind the one that
        is on its way."""
        self._interruption = error
        if not self._busy and not self._over:
            self._fail(error)

    def gone(self) -> None:
        """The connection is lost. What was in work is finished, and counts."""
        self._end()

    def receive(self, message: bytes, is_text: bool, ahead: bool) -> None:
        """A message of the client's. `ahead`: it had come before the last one was answered."""
        assert self._stream is not None
        self._busy = True
        now = time.monotonic()
        token = CALL.set(self._call)
        try:
            live = self._stream.real_time.is_live(0 if ahead else now - self._answered, now)
            if ahead and not live:
                self._tasks.start(self._in_turn(message, is_text))
            else:
                self._engine.pacer.begin(live)
                self._advance(message, is_text, self._answer_first)
        finally:
            CALL.reset(token)

    def _answer_first(self, told: Told) -> None:
        self._engine.pacer.end()
        self._tell(told)

    async def _in_turn(self, message: bytes, is_text: bool) -> None:
        """Clients that send ahead of their answers have turns, so that they delay nobody else."""
        async with self._engine.pacer.ahead():
            told = await outcome_of(partial(self._advance, message, is_text))
        self._tell(told)

    def _advance(self, message: bytes, is_text: bool, answer: Answer) -> None:
        """Decode the message, let the engine run it, encode what comes of it."""
        assert self._stream is not None and self._decoder is not None
        stream = self._stream
        decode = partial(self._decoder.decode, message, is_text, stream.model, stream.conversion)
        run, failed = partial(self._run, stream, answer), partial(self._refuse, stream, answer)
        if (size := len(message)) > LARGE:
            begin = self._pipeline.decoding.begin
            self._abandon = begin(decode, run, failed, self.owner, size)
            return
        try:
            asked = decode()
        except Exception as error:
            return failed(error)
        run(asked)

    def _refuse(self, stream: Stream, answer: Answer, error: Exception) -> None:
        stream.real_time.consumed(1, time.monotonic())  # a flood of these has turns, too
        answer(error)

    def _run(self, stream: Stream, answer: Answer, asked: ChunkRequest | None) -> None:
        if stream.connection not in (None, self) or isinstance(self._interruption, Moved):
            return answer(Moved("the stream goes on elsewhere; this was not counted"))
        if asked is None:
            self._tasks.start(self._end_stream(stream, answer))
            return
        if self._model is not stream.model:
            self._concerns(stream)
        then = partial(self._encode, stream, asked, time.perf_counter(), answer)
        if self._pipeline.metrics.traces is None:
            return self._engine.advance(stream, asked, then, explain=asked.options.explain)
        self._advance_traced(stream, asked, then)

    def _concerns(self, stream: Stream) -> None:
        self._model = stream.model
        name, version = key(stream.model)
        self._call.concerns(name, version, stream.id)
        metrics = self._pipeline.metrics
        self._observed = metrics.observer(metrics.chunks, PATH, name, str(version))

    def _advance_traced(
        self, stream: Stream, asked: ChunkRequest, then: Callable[[Advanced | Exception], None]
    ) -> None:
        traces = self._pipeline.metrics.traces
        assert traces is not None and self._span is not None
        about = *key(stream.model), tag(stream.id), asked.offset, len(asked.steps)
        span = traces.chunk(self._span, asked.traceparent, about)

        def ended(told: Advanced | Exception) -> None:
            span.end(failed=isinstance(told, Exception))
            then(told)

        with span.current():
            self._engine.advance(stream, asked, ended, explain=asked.options.explain)

    def _encode(
        self,
        stream: Stream,
        asked: ChunkRequest,
        start: float,
        answer: Answer,
        told: Advanced | Exception,
    ) -> None:
        if isinstance(told, Exception):
            return answer(told)
        if self._observed is not None:
            self._observed.observe(time.perf_counter() - start)
        contract = stream.model.manifest.contract
        position, durable, outputs, attention = told
        try:
            encode = encode_arrays if self._tells_arrays else encode_prediction
            encoded = encode(contract, outputs, position, durable, asked.options, attention)
        except Exception as error:
            return answer(error)
        answer(encoded)

    async def _end_stream(self, stream: Stream, answer: Answer) -> None:
        try:
            position = await self._engine.streams.end(stream)
        except Exception as error:
            return answer(error)
        answer(position)

    def _tell(self, told: Told) -> None:
        """Answer the message, and take the next one, or close where the error says so."""
        self._answered, self._abandon = time.monotonic(), None
        if self._over:
            return
        if isinstance(told, bytes):
            self._channel.send(told, is_text=not self._tells_arrays)
        elif isinstance(told, int):
            self._channel.send(msgspec.json.encode(EndedMessage(told)))
            self._channel.close(NORMAL_CLOSE)
            return self._end()
        elif isinstance(told, ServiceError) and not isinstance(told, ENDS_CONNECTION):
            self._call.failed(told.code)
            self._channel.send(message(told))
        else:
            return self._fail(told)
        self._next()

    def _next(self) -> None:
        self._busy = False
        if self._interruption is not None:
            self._fail(self._interruption)
        else:
            self._channel.receive_next()

    def _fail(self, error: Exception) -> None:
        """Close for this reason; for a drain only when the stream is stored."""
        if not isinstance(error, ServiceError):
            token = CALL.set(self._call)
            logger.error("a stream's connection failed", exc_info=error)
            CALL.reset(token)
            error = Internal()
        if isinstance(error, Draining) and self._stream is not None and self._stream.dirty:
            self._busy = True  # no second interruption comes between
            self._tasks.start(self._store_and_close(self._stream, error))
        else:
            self._close(error)

    async def _store_and_close(self, stream: Stream, error: ServiceError) -> None:
        await self._engine.streams.checkpoints.write_all([stream])
        self._close(error)

    def _close(self, error: ServiceError) -> None:
        if self._over:
            return
        self._call.failed(error.code)
        self._channel.send(message(error))
        self._channel.close(FAILURES[error.code].close)
        self._end()

    def _end(self) -> None:
        if self._over:
            return
        self._over = True
        logger.debug("a stream's connection has ended")
        if self._abandon is not None:
            self._abandon()
        if self._stream is not None:
            self._engine.streams.detach(self._stream, self)
        if self._held is not None:
            self._pipeline.gate.end(self.owner, self._held)
        if self._span is not None:
            self._span.end()
