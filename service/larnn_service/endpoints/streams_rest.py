"""/streams: the stream of /stream over plain HTTP, for clients without websockets."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Request
from fastapi.responses import Response

from larnn_service.admission.auth_middleware import own_key
from larnn_service.api.body import read_body
from larnn_service.endpoints.stream_inference import Wish, opened, predict
from larnn_service.engine.engine import Engine
from larnn_service.engine.streams.chunk import Chunk
from larnn_service.settings import Settings
from larnn_service.wire.arrays import chunk_steps, decode_json
from larnn_service.wire.openapi import OpenBody, gives, takes
from larnn_service.wire.stream_schemas import OpenedMessage, PredictionMessage, StepsBody

_OPEN = msgspec.json.Decoder(OpenBody)
_STEPS = msgspec.json.Decoder(StepsBody)
_EXAMPLE = {"offset": 0, "steps": [[0.0] * 9] * 2, "emit": "last"}


def router(engine: Engine, settings: Settings) -> APIRouter:
    routes = APIRouter(prefix="/streams", tags=["streams"])

    @routes.post(
        "",
        status_code=201,
        summary="Open a stream",
        openapi_extra=takes(OpenBody, {"model": None}),
        responses=gives(OpenedMessage, 404, 422, 503, success=201),
        response_class=Response,
    )
    async def open_stream(
        request: Request, idempotency_key: Annotated[str | None, Header(max_length=255)] = None
    ) -> Response:
        """The same Idempotency-Key again answers with the same stream while it lives."""
        body = await read_body(request, settings.max_body)
        asked = decode_json(_OPEN, body or b"{}")
        model, key = engine.model(asked.model, asked.version), own_key(request, idempotency_key)
        stream = await engine.open(model, key, request.state.owner)
        location = {"Location": f"/streams/{stream.id}"}
        return _json(opened(engine, stream), 201, location)

    @routes.post(
        "/{stream_id}/steps",
        summary="Advance a stream by a chunk",
        openapi_extra=takes(StepsBody, _EXAMPLE),
        responses=gives(PredictionMessage, 404, 409, 410, 413, 422, 429, 503),
        response_class=Response,
    )
    async def advance_stream(request: Request, stream_id: str) -> Response:
        """Steps that the stream has consumed already are answered, not counted again."""
        stream = await engine.resume(stream_id)
        asked = decode_json(_STEPS, await read_body(request, settings.max_body))
        steps = chunk_steps(asked, stream.model, settings.max_chunk_steps)
        chunk = Chunk(asked.offset, steps, asked.acked)
        wish = Wish().but(asked)
        return _json(await predict(engine, stream, chunk, wish, settled=True))

    @routes.get(
        "/{stream_id}",
        summary="Where a stream stands",
        responses=gives(OpenedMessage, 404, 410, 503),
        response_class=Response,
    )
    async def get_stream(stream_id: str) -> Response:
        return _json(opened(engine, await engine.streams.look(stream_id)))

    @routes.delete(
        "/{stream_id}",
        status_code=204,
        summary="Erase a stream",
        responses={status: gives(OpenedMessage, status)[status] for status in (404, 410, 503)},
    )
    async def delete_stream(stream_id: str) -> Response:
        """Erases every copy; a connection on it is closed."""
        await engine.streams.remove(stream_id)
        return Response(status_code=204)

    return routes


def _json(
    body: msgspec.Struct, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")
