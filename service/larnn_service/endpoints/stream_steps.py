"""POST /streams/ID/steps: a chunk over plain HTTP, answered when it is stored."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from larnn_service.endpoints.decoding import Abandon, Decoding
from larnn_service.endpoints.exchange import Answer, Request, answering_aside
from larnn_service.endpoints.openapi import gives, npy_schema, operation, query, takes
from larnn_service.engine.engine import Engine
from larnn_service.engine.models.registry import key
from larnn_service.engine.streams.advance import Advanced
from larnn_service.settings import Settings
from larnn_service.tasks import Tasks
from larnn_service.telemetry.calls import concerns
from larnn_service.wire.answer_options import usual
from larnn_service.wire.http import NPY, Response
from larnn_service.wire.large_json import LARGE
from larnn_service.wire.stream_schemas import PredictionMessage, StepsBody
from larnn_service.wire.stream_steps import decode_steps, encode_steps

_LARGE_ANSWER = 2**9
"""Numbers from which on the answers of all steps are best not encoded in the event loop."""
_EXAMPLE = {"offset": 0, "steps": [[0.0] * 9] * 2, "emit": "last"}
_PARAMETERS = [
    query("offset", "integer", "for an npy body, which needs it; JSON names it inside"),
    query("acked", "integer", "for an npy body; likewise"),
    query("emit", "string", "likewise"),
    query("logits", "boolean", "likewise"),
    query("probabilities", "boolean", "likewise"),
    query("unsure", "boolean", "likewise"),
    query("explain", "boolean", "likewise"),
    query("outputs", "string", "names of further outputs, between commas; likewise"),
]


class StreamSteps:
    """Steps that the stream has consumed already are answered, not counted again."""

    method = "POST"
    routes: tuple[str, ...] = ("/streams/{stream_id}/steps",)
    documentation: dict[str, Any] = operation(
        "Advance a stream by a chunk",
        "streams",
        takes(StepsBody, _EXAMPLE, **{NPY: npy_schema("float32 [steps, 9]")}),
        gives(
            PredictionMessage, 404, 409, 410, 413, 422, 429, 503, npy="of the steps that are told"
        ),
        description=__doc__,
        parameters=_PARAMETERS,
    )

    def __init__(self, engine: Engine, settings: Settings, decoding: Decoding) -> None:
        self.max_body = settings.max_body
        self._engine, self._max_chunk_steps = engine, settings.max_chunk_steps
        self._usual = usual(settings)
        self._decoding = decoding
        self._tasks = Tasks()

    def begin(self, request: Request, answer: Answer) -> Abandon | None:
        """Find the stream, decode, run, encode. A large chunk may be abandoned until it runs."""
        cancel = self._tasks.start(self._advance(request, answer))
        return cancel if len(request.body) > LARGE else None

    async def _advance(self, request: Request, answer: Answer) -> None:
        try:
            stream = await self._engine.resume(request.parameters["stream_id"], request.owner)
            name, version = key(stream.model)
            concerns(name, version, stream.id)
            most = self._max_chunk_steps
            head, body = request.head, request.body
            decode = partial(
                decode_steps, head, body, stream.model, most, stream.conversion, self._usual
            )
            if (size := len(request.body)) > LARGE:
                asked = await self._decoding.result(decode, request.owner, size)
            else:
                asked = decode()
            metrics, start = self._engine.streams.metrics, time.perf_counter()
            observed = metrics.observer(metrics.chunks, self.routes[0], name, str(version))

            contract, options = stream.model.manifest.contract, asked.options

            def is_large(told: Advanced) -> bool:
                return options.emit != "last" and told.outputs.size > _LARGE_ANSWER

            def encode(told: Advanced) -> Response:
                position, durable, outputs, attention = told
                return encode_steps(head, contract, outputs, position, durable, options, attention)

            then = answering_aside(answer, encode, self._decoding, is_large, request.owner)

            def advanced(outcome: Advanced | Exception) -> None:
                if not isinstance(outcome, Exception):
                    observed.observe(time.perf_counter() - start)
                then(outcome)

            self._engine.advance(stream, asked, advanced, settled=True, explain=options.explain)
        except Exception as error:
            answer(error)
