"""POST /classify: whole sequences in, one prediction each out. Nothing is kept."""

from __future__ import annotations

from functools import partial
from typing import Any

from larnn_service.endpoints.decoding import Abandon, Decoding
from larnn_service.endpoints.exchange import Answer, Request, answering
from larnn_service.endpoints.openapi import gives, operation, takes
from larnn_service.engine.engine import Engine
from larnn_service.engine.models.registry import key
from larnn_service.interfaces import Floats
from larnn_service.settings import Settings
from larnn_service.telemetry.calls import concerns
from larnn_service.wire.classify import NPY, ClassifyDecoder, ClassifyRequest, encode
from larnn_service.wire.http import Response
from larnn_service.wire.http_schemas import ClassifyAnswer, ClassifyBody
from larnn_service.wire.large_json import LARGE

_EXAMPLE = {"sequences": [[[0.0] * 9] * 2], "logits": True}
_NPY_SCHEMA = {
    "schema": {"type": "string", "format": "binary", "description": "float32 [batch, steps, 9]"}
}
_PARAMETERS = [
    {"name": name, "in": "query", "required": False, "schema": {"type": kind}, "description": text}
    for name, kind, text in (
        ("model", "string", "for an npy body; JSON names it inside"),
        ("version", "integer", "likewise"),
        ("logits", "boolean", "likewise"),
        ("outputs", "string", "names of further outputs, between commas; likewise"),
        ("context", "string", "an object of JSON; likewise"),
    )
]


class Classify:
    """The answer is the last step's; there is no pooling outside the recurrent state."""

    method = "POST"
    routes: tuple[str, ...] = ("/classify",)
    documentation: dict[str, Any] = operation(
        "Classify whole sequences",
        "classify",
        takes(ClassifyBody, _EXAMPLE, **{NPY: _NPY_SCHEMA}),
        gives(ClassifyAnswer, 404, 413, 422, 503),
        description=__doc__,
        parameters=_PARAMETERS,
    )

    def __init__(self, engine: Engine, settings: Settings, decoding: Decoding) -> None:
        self.max_body = settings.max_body
        self._engine, self._decoding = engine, decoding
        self._decoder = ClassifyDecoder(engine.model, settings)

    def begin(self, request: Request, answer: Answer) -> Abandon:
        """Decode, run, encode. Raises what the decoder and the engine raise."""
        decode = partial(self._decoder.decode, request.head, request.body)
        if len(request.body) > LARGE:
            return self._decoding.begin(decode, partial(self._run, answer), answer)
        return self._run(answer, decode())

    def _run(self, answer: Answer, asked: ClassifyRequest) -> Abandon:
        concerns(*key(asked.model))
        then = answering(answer, partial(_response, asked))
        starts = None if asked.start is None else [asked.start] * len(asked.sequences)
        return self._engine.classify(asked.model, asked.sequences, then, starts=starts)


def _response(asked: ClassifyRequest, outputs: list[Floats]) -> Response:
    return Response(encode(asked, outputs))
