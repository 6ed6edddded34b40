"""WS /stream: chunks of any size in, one answer each out; the state stays between them."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AbstractContextManager, nullcontext

import msgspec
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from larnn_service.api.predictions import Predictions
from larnn_service.api.shortcut import ENDS_CONNECTION, EXTENSION, Shortcut
from larnn_service.api.websocket import AHEAD
from larnn_service.backend.responses import can_write
from larnn_service.endpoints.stream_inference import opened, predict
from larnn_service.engine.engine import Engine
from larnn_service.engine.models.registry import key
from larnn_service.engine.streams.chunk import Chunk
from larnn_service.engine.streams.stream import Stream
from larnn_service.errors import Draining, Internal, ServiceError
from larnn_service.settings import Settings
from larnn_service.telemetry.calls import concerns
from larnn_service.telemetry.tags import tag
from larnn_service.wire import error_responses, subprotocols
from larnn_service.wire.arrays import version_asked
from larnn_service.wire.stream_decoder import Reader, wish_of
from larnn_service.wire.stream_schemas import EndedMessage, PredictionMessage
from larnn_service.wire.subprotocols import BINARY

logger = logging.getLogger(__name__)


def router(engine: Engine, settings: Settings) -> APIRouter:
    routes = APIRouter()
    predictions = Predictions() if can_write() else None

    @routes.websocket("/stream")
    async def stream(websocket: WebSocket) -> None:
        # A task of its own: each time it goes on, no layer of the framework has to pass it on.
        connection = StreamConnection(websocket, engine, settings, predictions)
        await asyncio.create_task(connection.serve())

    return routes


class StreamConnection:
    """One websocket on one stream. Reads the next message only when the last one is answered."""

    def __init__(
        self,
        websocket: WebSocket,
        engine: Engine,
        settings: Settings,
        predictions: Predictions | None = None,
    ) -> None:
        """`predictions` are written together; none: each alone."""
        self._websocket, self._predictions = websocket, predictions
        self._engine = engine
        self._max_chunk_steps = settings.max_chunk_steps
        self._subprotocol = subprotocols.chosen(websocket)
        self._interruption: Exception | None = None
        self._receiving: asyncio.Task[object] | None = None
        """The task that waits for a message, while it does."""

    def interrupt(self, error: Exception) -> None:
        """Close for this reason: at once where the connection waits, else after its answer."""
        self._interruption = error
        self._break_off()

    def _break_off(self) -> None:
        if self._receiving is not None and not self._shortcut.busy:
            self._receiving.cancel()
            self._receiving = None  # once

    def _answered(self, reason: Exception | None) -> None:
        """On the short way; the connection has to end where there is a reason."""
        if reason is not None:
            self._interruption = reason
        if self._interruption is not None:
            self._break_off()

    async def serve(self) -> None:
        """From the handshake to the close frame."""
        stream: Stream | None = None
        try:
            await self._websocket.accept(subprotocol=self._subprotocol)
            wish = wish_of(self._websocket.query_params)
            self._reader = Reader(self._subprotocol == BINARY, wish, self._max_chunk_steps)
            stream = await self._open()
            self._shortcut = Shortcut(self._engine, stream, self._reader, self._predictions)
            self._engine.streams.attach(stream, self)
            await self._greet(stream)
            if (messages := self._websocket.scope.get(EXTENSION)) is not None:
                self._shortcut.open(messages, self._answered)
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
                del self._shortcut  # they hold each other

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

    async def _converse(self, stream: Stream) -> None:
        """Answer message after message, until the client ends the stream."""
        pacer, shortcut = self._engine.pacer, self._shortcut
        while True:
            message, ahead = await self._receive()
            waited = time.monotonic() - shortcut.answered
            try:
                async with pacer.ahead() if ahead else pacer.first(waited):
                    answer = await self._answer(stream, message)
                await self._send(answer)
                if isinstance(answer, EndedMessage):
                    return
            except ENDS_CONNECTION:
                raise
            except ServiceError as error:
                await self._send_text(error_responses.message(error))
            shortcut.answered = time.monotonic()

    async def _answer(
        self, stream: Stream, message: str | bytes
    ) -> PredictionMessage | EndedMessage:
        asked = self._reader.read(message, stream)
        if asked is None:
            return EndedMessage(await self._engine.streams.end(stream))
        with self._traced(stream, asked.chunk, asked.traceparent):
            return await predict(self._engine, stream, asked.chunk, asked.wish)

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
        """A message, and whether the client had sent it before the last answer."""
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
        await self._shortcut.settled()
        if self._interruption is not None:
            raise self._interruption
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(event["code"])
        text: str | None = event.get("text")
        return event["bytes"] if text is None else text, event[AHEAD]

    async def _send(self, message: msgspec.Struct) -> None:
        await self._send_text(msgspec.json.encode(message))

    async def _send_text(self, encoded: bytes) -> None:
        await self._websocket.send_text(encoded.decode())

    async def _close(self, error: ServiceError) -> None:
        try:
            await self._send_text(error_responses.message(error))
            await self._websocket.close(error_responses.FAILURES[error.code].close)
        except WebSocketDisconnect:
            pass
