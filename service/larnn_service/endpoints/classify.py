"""POST /classify: whole sequences in, one prediction each out. Nothing is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from fastapi import APIRouter
from msgspec import UnsetType
from starlette.requests import Request
from starlette.responses import Response

from larnn_service.api.body import read_body, unless_gone
from larnn_service.api.quick import plain_body
from larnn_service.engine.engine import Engine
from larnn_service.errors import BadMessage, BadShape, TooLarge
from larnn_service.interfaces import Floats, Model, Steps
from larnn_service.settings import Settings
from larnn_service.wire.arrays import (
    check_characters,
    checked,
    decode_json,
    npy_array,
    steps_array,
    text_tokens,
    version_asked,
)
from larnn_service.wire.openapi import ClassifyAnswer, ClassifyBody, gives, takes
from larnn_service.wire.predictions import answers

PATH = "/classify"
NPY = "application/x-npy"
BODY = msgspec.json.Decoder(ClassifyBody)
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
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
    )
]


class Asked(NamedTuple):
    """What a body asks for."""

    model: Model
    sequences: list[Steps]
    logits: bool


class ClassifyDoor:
    """Reads a body and answers it; errors are for whoever calls it.

    Two steps, so that nothing holds the body and the thousands of numbers that JSON is decoded to
    while a request waits: their memory is warm for the next one.
    """

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings

    def read(self, query: Mapping[str, str], content_type: str, body: bytes) -> Asked:
        """Of a body of that type."""
        logits = _flag(query.get("logits", "false"))
        if is_npy(content_type):
            model = self._engine.model(query.get("model"), version_asked(query))
            sequences = list(npy_array(body, model))
            check_sizes([len(sequence) for sequence in sequences], self._settings)
            return Asked(model, sequences, logits)
        plain = plain_body(body, BODY, self._settings.max_sequences)
        asked = decode_json(BODY, body) if plain is None else plain.rest
        model = self._engine.model(asked.model, asked.version)
        if plain is not None and plain.channels != len(model.manifest.contract.channels):
            asked, plain = decode_json(BODY, body), None
        if plain is None:
            return Asked(model, _steps(asked, model, self._settings), asked.logits)
        check_sizes([len(steps) for steps in plain.sequences], self._settings)
        sequences = plain.sequences
        if model.manifest.contract.vocabulary is not None:  # that they are finite is known
            sequences = [checked(x, model, f"sequences[{i}]") for i, x in enumerate(sequences)]
        return Asked(model, sequences, asked.logits)

    async def answer(self, asked: Asked) -> bytes:
        """As JSON."""
        return told(asked, await self._engine.classify(asked.model, asked.sequences))


def is_npy(content_type: str) -> bool:
    """Else a body is JSON."""
    return content_type.partition(";")[0] == NPY


def told(asked: Asked, logits: list[Floats]) -> bytes:
    """The answer as JSON."""
    manifest = asked.model.manifest
    predictions = answers(logits, manifest.contract.labels, asked.logits)
    return msgspec.json.encode(ClassifyAnswer(manifest.name, manifest.version, predictions))


def router(door: ClassifyDoor, settings: Settings) -> APIRouter:
    routes = APIRouter(tags=["classify"])
    extra: dict[str, Any] = takes(ClassifyBody, _EXAMPLE, **{NPY: _NPY_SCHEMA})

    @routes.post(
        PATH,
        summary="Classify whole sequences",
        openapi_extra={**extra, "parameters": _PARAMETERS},
        responses=gives(ClassifyAnswer, 404, 413, 422, 503),
        response_class=Response,
    )
    async def classify(request: Request) -> Response:
        """The logits are the last step's; there is no pooling outside the recurrent state."""
        kind = request.headers.get("content-type", "")
        body = await read_body(request, settings.max_body)
        asked = door.read(request.query_params, kind, body)
        del body
        answer = await unless_gone(request, door.answer(asked))
        return Response(answer, media_type="application/json")

    return routes


def _flag(text: str) -> bool:
    if (value := _TRUTH.get(text.lower())) is None:
        raise BadMessage(f"query logits: {text!r} is neither true nor false")
    return value


def _steps(asked: ClassifyBody, model: Model, settings: Settings) -> list[Steps]:
    """Of each sequence, or of each text."""
    rows, texts = asked.sequences, asked.texts
    if isinstance(rows, list) and isinstance(texts, UnsetType):
        check_sizes([len(steps) for steps in rows], settings)
        return [steps_array(steps, model, f"sequences[{i}]") for i, steps in enumerate(rows)]
    if isinstance(texts, UnsetType) or isinstance(rows, list):
        raise BadMessage("send either sequences or texts")
    _check_count(len(texts), settings, "texts")
    limit = settings.max_sequence_steps
    check_characters(sum(map(len, texts)), settings.max_request_steps, "the texts together have")
    tokens = [text_tokens(text, model, limit, f"texts[{i}]") for i, text in enumerate(texts)]
    check_sizes([len(steps) for steps in tokens], settings, "texts")
    return tokens


def _check_count(count: int, settings: Settings, place: str) -> None:
    if not count:
        raise BadShape(f"{place} is empty; send at least one")
    if count > settings.max_sequences:
        raise TooLarge(f"{count} sequences; at most {settings.max_sequences} in a request")


def check_sizes(steps: list[int], settings: Settings, place: str = "sequences") -> None:
    """Raises BadShape, TooLarge where a request has so many sequences, of so many steps."""
    _check_count(len(steps), settings, place)
    for index, count in enumerate(steps):
        if not count:
            raise BadShape(f"{place}[{index}] has no steps; send at least one")
        if count > settings.max_sequence_steps:
            raise TooLarge(
                f"{place}[{index}] has {count} steps; at most {settings.max_sequence_steps}"
            )
    if sum(steps) > settings.max_request_steps:
        raise TooLarge(f"{sum(steps)} steps; at most {settings.max_request_steps} in a request")
