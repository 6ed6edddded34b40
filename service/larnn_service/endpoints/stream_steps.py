"""POST /streams/ID/steps: a chunk over plain HTTP, answered when it is stored."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import msgspec

from larnn_service.endpoints.decoding import Decoding
from larnn_service.endpoints.exchange import Answer, Request, answering
from larnn_service.endpoints.openapi import gives, operation, takes
from larnn_service.engine.engine import Engine
from larnn_service.engine.models.registry import key
from larnn_service.engine.streams.chunk import Advanced, Chunk
from larnn_service.engine.streams.stream import Stream
from larnn_service.interfaces import Model, Steps
from larnn_service.settings import Settings
from larnn_service.tasks import Tasks
from larnn_service.telemetry.calls import concerns
from larnn_service.wire.answer_options import AnswerOptions
from larnn_service.wire.arrays import chunk_steps, decode_json
from larnn_service.wire.http import Response
from larnn_service.wire.large_json import LARGE
from larnn_service.wire.stream_answers import encode_prediction
from larnn_service.wire.stream_schemas import PredictionMessage, StepsBody

_STEPS = msgspec.json.Decoder(StepsBody)
_EXAMPLE = {"offset": 0, "steps": [[0.0] * 9] * 2, "emit": "last"}


class StreamSteps:
    """Steps that the stream has consumed already are answered, not counted again."""

    method = "POST"
    routes: tuple[str, ...] = ("/streams/{stream_id}/steps",)
    documentation: dict[str, Any] = operation(
        "Advance a stream by a chunk",
        "streams",
        takes(StepsBody, _EXAMPLE),
        gives(PredictionMessage, 404, 409, 410, 413, 422, 429, 503),
        description=__doc__,
    )

    def __init__(self, engine: Engine, settings: Settings, decoding: Decoding) -> None:
        self.max_body = settings.max_body
        self._engine, self._max_chunk_steps = engine, settings.max_chunk_steps
        self._decoding = decoding
        self._tasks = Tasks()

    def begin(self, request: Request, answer: Answer) -> None:
        """Find the stream, decode, run, encode."""
        self._tasks.start(self._advance(request, answer))

    def _decode(self, body: bytes | bytearray, model: Model) -> tuple[StepsBody, Steps]:
        asked = decode_json(_STEPS, body)
        return asked, chunk_steps(asked, model, self._max_chunk_steps)

    async def _advance(self, request: Request, answer: Answer) -> None:
        try:
            stream = await self._engine.resume(request.parameters["stream_id"], request.owner)
            concerns(*key(stream.model), stream.id)
            decode = partial(self._decode, request.body, stream.model)
            large = len(request.body) > LARGE
            asked, steps = await self._decoding.result(decode) if large else decode()
            options = AnswerOptions().but(asked)
            options.check(stream.model.manifest.contract, stream.model.manifest.name)
            metrics, start = self._engine.streams.metrics, time.perf_counter()
            observed = metrics.observer(metrics.chunks, self.routes[0], stream.model.manifest.name)

            def encode(told: Advanced) -> Response:
                observed.observe(time.perf_counter() - start)
                return _response(stream, told, options)

            self._engine.advance(
                stream,
                Chunk(asked.offset, steps, asked.acked),
                answering(answer, encode),
                settled=True,
                explain=options.explain,
            )
        except Exception as error:
            answer(error)


def _response(stream: Stream, advanced: Advanced, options: AnswerOptions) -> Response:
    contract = stream.model.manifest.contract
    position, durable, outputs, attention = advanced
    return Response(encode_prediction(contract, outputs, position, durable, options, attention))
