"""WS /stream: chunks of any size in, one answer each out; the state stays between them."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from contextlib import AbstractContextManager, nullcontext

import msgspec
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from service.api import failures, subprotocols
from service.api.decode import (
    binary_chunk,
    check_chunk_size,
    chunk_steps,
    decode_json,
    version_asked,
)
from service.api.messages import FROM_CLIENT, ChunkMessage, Emit, EndedMessage, PredictionMessage
from service.api.predict import Wish, opened, predict
from service.api.subprotocols import BINARY
from service.api.websocket import AHEAD
from service.engine.engine import Chunk, Engine
from service.engine.models import key
from service.engine.stream import Stream
from service.errors import BadMessage, Draining, Expired, Internal, Moved, ServiceError
from service.settings import Settings
from service.telemetry.calls import concerns
from service.telemetry.tags import tag

logger = logging.getLogger(__name__)

_TRUTH = {"true": True, "false": False}
_ENDS_CONNECTION = (Expired, Moved, Draining)


def router(engine: Engine, settings: Settings) -> APIRouter:
    routes = APIRouter()

    @routes.websocket("/stream")
    async def stream(websocket: WebSocket) -> None:
        # A task of its own: each time it goes on, no layer of the framework has to pass it on.
        await asyncio.create_task(StreamConnection(websocket, engine, settings).serve())

    return routes


class StreamConnection:
    """One websocket on one stream. Reads the next message only when the last one is answered."""

    def __init__(self, websocket: WebSocket, engine: Engine, settings: Settings) -> None:
        self._websocket = websocket
        self._engine = engine
        self._max_chunk_steps = settings.max_chunk_steps
        self._subprotocol = subprotocols.chosen(websocket)
        self._binary = self._subprotocol == BINARY
        self._interruption: ServiceError | None = None
        self._receiving: asyncio.Task[object] | None = None
        """The task that waits for a frame, while it does."""

    def interrupt(self, error: ServiceError) -> None:
        """Close for this reason: at once where the connection waits, else after its answer."""
        waits = self._interruption is None
        self._interruption = error
        if waits and self._receiving is not None:
            self._receiving.cancel()

    async def serve(self) -> None:
        """From the handshake to the close frame."""
        stream: Stream | None = None
        try:
            await self._websocket.accept(subprotocol=self._subprotocol)
            self._wish = self._default_wish()
            stream = await self._open()
            self._engine.streams.attach(stream, self)
            await self._greet(stream)
            await self._converse(stream)
            await self._websocket.close(1000)
        except ServiceError as error:
            if stream is not None and isinstance(error, Draining):
                await self._engine.streams.checkpoints.write_all([stream])
            await self._close(error)
        except WebSocketDisconnect:
            pass
        except Exception:
            logger.exception("a stream's connection failed")
            await self._close(Internal())
        finally:
            logger.debug("a stream's connection has ended")
            if stream is not None:
                self._engine.streams.detach(stream, self)

    async def _open(self) -> Stream:
        query = self._websocket.query_params
        if "stream" in query:
            stream = await self._engine.resume(query["stream"])
        else:
            model = self._engine.model(query.get("model"), version_asked(query))
            stream = await self._engine.open(model, owner=self._websocket.state.owner)
        concerns(*key(stream.model), stream.id)
        logger.debug("a stream's connection is open at %d", stream.checkpoint.position)
        return stream

    async def _greet(self, stream: Stream) -> None:
        async with stream.lock:  # what an older connection had in flight settles first
            message = opened(self._engine, stream)
        await self._send(message)

    def _default_wish(self) -> Wish:
        query = self._websocket.query_params
        logits, explain = (_TRUTH.get(query.get(name, "false")) for name in ("logits", "explain"))
        try:
            emit = msgspec.convert(query.get("emit", "last"), Emit, strict=False)
        except msgspec.ValidationError:
            emit = None
        if emit is None or logits is None or explain is None:
            raise BadMessage(
                "in the address: emit is last, every or a number of steps, logits and explain are "
                "true or false"
            )
        return Wish(logits, emit, explain)

    async def _converse(self, stream: Stream) -> None:
        """Answer message after message, until the client ends the stream."""
        pacer, answered = self._engine.pacer, math.inf
        while True:
            frame, ahead = await self._receive()
            waited = time.monotonic() - answered
            try:
                async with pacer.ahead() if ahead else pacer.first(waited):
                    answer = await self._answer(stream, frame)
                await self._send(answer)
                if isinstance(answer, EndedMessage):
                    return
            except _ENDS_CONNECTION:
                raise
            except ServiceError as error:  # the stream stands where it stood, and lives on
                await self._send_text(failures.message(error))
            answered = time.monotonic()

    async def _answer(self, stream: Stream, frame: str | bytes) -> PredictionMessage | EndedMessage:
        asked = self._read(frame, stream)
        if asked is None:
            return EndedMessage(await self._engine.streams.end(stream))
        chunk, wish, traceparent = asked
        with self._traced(stream, chunk, traceparent):
            return await predict(self._engine, stream, chunk, wish)

    def _traced(
        self, stream: Stream, chunk: Chunk, traceparent: str | None
    ) -> AbstractContextManager[None]:
        if (traces := self._engine.streams.metrics.traces) is None:
            return nullcontext()
        name, version = key(stream.model)
        about: dict[str, str | int] = {
            "larnn.model": name,
            "larnn.version": version,
            "larnn.stream": tag(stream.id),
            "larnn.offset": chunk.offset,
            "larnn.steps": len(chunk.steps),
        }
        return traces.chunk(traceparent, about)

    async def _receive(self) -> tuple[str | bytes, bool]:
        """A frame, and whether the client had sent it before the last answer."""
        if self._interruption is not None:
            raise self._interruption
        task = self._receiving = asyncio.current_task()
        try:
            event = await self._websocket.receive()
        except asyncio.CancelledError:
            if self._interruption is None or task is None:
                raise
            task.uncancel()
        finally:
            self._receiving = None
        if self._interruption is not None:
            raise self._interruption
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(event["code"])
        text: str | None = event.get("text")
        return event["bytes"] if text is None else text, event[AHEAD]

    def _read(self, frame: str | bytes, stream: Stream) -> tuple[Chunk, Wish, str | None] | None:
        """A chunk, what to tell of it and whose trace it is in, or None for the end."""
        if isinstance(frame, bytes):
            if not self._binary:
                raise BadMessage(f"binary frames need the subprotocol {BINARY}; send JSON as text")
            offset, steps = binary_chunk(frame, stream.model)
            check_chunk_size(len(steps), self._max_chunk_steps)
            return Chunk(offset, steps), self._wish, None
        message = decode_json(FROM_CLIENT, frame)
        if not isinstance(message, ChunkMessage):
            return None
        if self._binary:
            raise BadMessage(f"under {BINARY} a chunk is a binary frame; only `end` is text")
        steps = chunk_steps(message, stream.model, self._max_chunk_steps)
        chunk = Chunk(message.offset, steps, message.acked)
        return chunk, self._wish.but(message), message.traceparent

    async def _send(self, message: msgspec.Struct) -> None:
        await self._send_text(msgspec.json.encode(message))

    async def _send_text(self, encoded: bytes) -> None:
        await self._websocket.send_text(encoded.decode())

    async def _close(self, error: ServiceError) -> None:
        try:
            await self._send_text(failures.message(error))
            await self._websocket.close(failures.FAILURES[error.code].close)
        except WebSocketDisconnect:
            pass
