"""POST /classify: whole sequences in, one prediction each out. Nothing is kept."""

from __future__ import annotations

from functools import partial
from typing import Any

from larnn_service.endpoints.decoding import Abandon, Decoding
from larnn_service.endpoints.exchange import Answer, Request, answering
from larnn_service.endpoints.openapi import gives, npy_schema, operation, query, takes
from larnn_service.engine.engine import Engine
from larnn_service.engine.models.registry import key
from larnn_service.settings import Settings
from larnn_service.telemetry.calls import concerns
from larnn_service.wire.classify import ClassifyDecoder, ClassifyRequest, encode
from larnn_service.wire.http import NPY
from larnn_service.wire.http_schemas import ClassifyAnswer, ClassifyBody
from larnn_service.wire.large_json import LARGE

_EXAMPLE = {"sequences": [[[0.0] * 9] * 2], "logits": True}
_NPY_SCHEMA = npy_schema("float32 [batch, steps, 9]")
_PARAMETERS = [
    query("model", "string", "for an npy body; JSON names it inside"),
    query("version", "integer", "likewise"),
    query("logits", "boolean", "likewise"),
    query("probabilities", "boolean", "likewise"),
    query("unsure", "boolean", "likewise"),
    query("outputs", "string", "names of further outputs, between commas; likewise"),
    query("context", "string", "an object of JSON; likewise"),
    query("units", "string", "in which the steps are, where these are not the model's; likewise"),
    query("axes", "string", "as which the steps are, likewise"),
    query("sample_rate_hz", "number", "of the steps; likewise"),
]


class Classify:
    """The answer is the last step's; there is no pooling outside the recurrent state."""

    method = "POST"
    routes: tuple[str, ...] = ("/classify",)
    documentation: dict[str, Any] = operation(
        "Classify whole sequences",
        "classify",
        takes(ClassifyBody, _EXAMPLE, **{NPY: _NPY_SCHEMA}),
        gives(ClassifyAnswer, 404, 413, 422, 503, npy="of each sequence's last step"),
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
        run = partial(self._run, answer, request.owner)
        if (size := len(request.body)) > LARGE:
            return self._decoding.begin(decode, run, answer, request.owner, size)
        return run(decode())

    def _run(self, answer: Answer, owner: str, asked: ClassifyRequest) -> Abandon:
        concerns(*key(asked.model))
        then = answering(answer, partial(encode, asked))
        starts = None if asked.start is None else [asked.start] * len(asked.sequences)
        return self._engine.classify(asked.model, asked.sequences, then, starts=starts, owner=owner)
