"""POST /classify: whole sequences in, one prediction each out. Nothing is kept."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from service.api.answers import answers
from service.api.body import read_body, unless_gone
from service.api.decode import decode_json, npy_array, steps_array
from service.api.schemas import ClassifyAnswer, ClassifyBody, gives, takes
from service.backend.base import Floats, Model
from service.engine.engine import Engine
from service.errors import BadShape, TooLarge
from service.settings import Settings

NPY = "application/x-npy"
_BODY = msgspec.json.Decoder(ClassifyBody)
_EXAMPLE = {"sequences": [[[0.0] * 9] * 2], "logits": True}
_NPY_SCHEMA = {
    "schema": {"type": "string", "format": "binary", "description": "float32 [batch, steps, 9]"}
}


def router(engine: Engine, settings: Settings) -> APIRouter:
    routes = APIRouter(tags=["classify"])

    @routes.post(
        "/classify",
        summary="Classify whole sequences",
        openapi_extra=takes(ClassifyBody, _EXAMPLE, **{NPY: _NPY_SCHEMA}),
        responses=gives(ClassifyAnswer, 404, 413, 422, 503),
        response_class=Response,
    )
    async def classify(
        request: Request,
        model: str | None = Query(None, description="for an npy body; JSON names it inside"),
        logits: bool = Query(False, description="likewise"),
    ) -> Response:
        """The logits are the last step's; there is no pooling outside the recurrent state."""
        body = await read_body(request, settings.max_body)
        if request.headers.get("content-type", "").partition(";")[0] == NPY:
            chosen = engine.model(model)
            sequences = list(npy_array(body, chosen))
            _check_sizes([len(sequence) for sequence in sequences], settings)
        else:
            asked = decode_json(_BODY, body)
            logits = asked.logits
            chosen = engine.model(asked.model)
            _check_sizes([len(rows) for rows in asked.sequences], settings)
            sequences = _arrays(asked, chosen)
        result = await unless_gone(request, engine.classify(chosen, sequences))
        manifest = chosen.manifest
        predictions = answers(result, manifest.contract.labels, logits)
        answer = ClassifyAnswer(manifest.name, manifest.version, predictions)
        return Response(msgspec.json.encode(answer), media_type="application/json")

    return routes


def _arrays(asked: ClassifyBody, model: Model) -> list[Floats]:
    return [
        steps_array(rows, model, f"sequences[{index}]")
        for index, rows in enumerate(asked.sequences)
    ]


def _check_sizes(steps: list[int], settings: Settings) -> None:
    if not steps:
        raise BadShape("sequences is empty; send at least one")
    if len(steps) > settings.max_sequences:
        raise TooLarge(f"{len(steps)} sequences; at most {settings.max_sequences} in a request")
    for index, count in enumerate(steps):
        if not count:
            raise BadShape(f"sequences[{index}] has no steps; send at least one")
        if count > settings.max_sequence_steps:
            raise TooLarge(
                f"sequences[{index}] has {count} steps; at most {settings.max_sequence_steps}"
            )
    if sum(steps) > settings.max_request_steps:
        raise TooLarge(f"{sum(steps)} steps; at most {settings.max_request_steps} in a request")
