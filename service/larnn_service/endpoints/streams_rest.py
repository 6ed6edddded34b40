"""/streams: streams over plain HTTP, for clients without websockets; their steps: stream_steps."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Request
from fastapi.responses import Response

from larnn_service.endpoints.framework import json_response, own_key
from larnn_service.endpoints.openapi import gives, takes
from larnn_service.endpoints.request_body import LARGEST_OPENING, read_body
from larnn_service.endpoints.stream_opening import opened
from larnn_service.engine.engine import Engine
from larnn_service.errors import Conflict
from larnn_service.settings import Settings
from larnn_service.wire.context import start_of
from larnn_service.wire.http_schemas import OpenBody
from larnn_service.wire.json_bodies import decode_json
from larnn_service.wire.measured import Said, conversion_of
from larnn_service.wire.stream_schemas import OpenedMessage

_OPEN = msgspec.json.Decoder(OpenBody)


def router(engine: Engine, settings: Settings) -> APIRouter:
    """The routes that open, show and erase a stream."""
    routes = APIRouter(prefix="/streams", tags=["streams"])

    @routes.post(
        "",
        status_code=201,
        summary="Open a stream",
        openapi_extra=takes(OpenBody, {"model": None}),
        responses=gives(OpenedMessage, 404, 409, 422, 503, success=201),
        response_class=Response,
    )
    async def open_stream(
        request: Request, idempotency_key: Annotated[str | None, Header(max_length=255)] = None
    ) -> Response:
        """The same Idempotency-Key again answers with the same stream while it lives."""
        body = await read_body(request, LARGEST_OPENING)
        asked = decode_json(_OPEN, body or b"{}")
        model, key = engine.model(asked.model, asked.version), own_key(request, idempotency_key)
        start = start_of(model, asked.context)
        wanted = conversion_of(model, Said(asked.units, asked.axes, asked.sample_rate_hz))
        stream = await engine.open(model, key, request.state.owner, start, wanted)
        if asked.version not in (None, running := stream.checkpoint.version):
            raise Conflict(
                f"this key has opened a stream, which runs on version {running}; ask for that one, "
                "or for none, or take a new key"
            )
        location = {"Location": f"{settings.root_path}/streams/{stream.id}"}
        return json_response(opened(engine, stream), 201, location)

    @routes.get(
        "/{stream_id}",
        summary="Where a stream stands",
        responses=gives(OpenedMessage, 404, 410, 503),
        response_class=Response,
    )
    async def get_stream(stream_id: str) -> Response:
        return json_response(opened(engine, await engine.streams.look(stream_id)))

    @routes.delete(
        "/{stream_id}",
        status_code=204,
        summary="Erase a stream",
        responses={status: gives(OpenedMessage, status)[status] for status in (404, 410, 503)},
    )
    async def delete_stream(stream_id: str) -> Response:
        """Erases every copy, and what was captured; a connection on it is closed."""
        await engine.erase(stream_id)
        return Response(status_code=204)

    return routes
