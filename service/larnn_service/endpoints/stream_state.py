"""/streams/ID/state and /streams/ID/fork: a stream's state taken out, put in, and copied."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response

from larnn_service.endpoints.framework import json_response, own_key
from larnn_service.endpoints.openapi import gives
from larnn_service.endpoints.request_body import read_body
from larnn_service.endpoints.stream_opening import opened
from larnn_service.engine.engine import Engine
from larnn_service.engine.streams import snapshot
from larnn_service.outputs import from_columns
from larnn_service.settings import Settings
from larnn_service.wire import state_file
from larnn_service.wire.stream_schemas import OpenedMessage

_FILE = {
    state_file.MEDIA_TYPE: {
        "schema": {"type": "string", "format": "binary", "description": "safetensors"}
    }
}


def router(engine: Engine, settings: Settings) -> APIRouter:
    """The routes of a stream's state."""
    routes = APIRouter(prefix="/streams/{stream_id}", tags=["streams"])
    max_kept = settings.max_unacked_steps
    file: dict[int | str, dict[str, Any]] = {200: {"description": "the state", "content": _FILE}}

    @routes.get(
        "/state",
        summary="A stream's state as a file",
        responses=gives(OpenedMessage, 404, 410, 503) | file,
        response_class=Response,
    )
    async def get_state(stream_id: str) -> Response:
        """A safetensors file; the stream goes on."""
        stream = await snapshot.take_out(engine.streams, stream_id)
        checkpoint, outputs = stream.checkpoint, stream.model.manifest.contract.outputs
        told = checkpoint.model, checkpoint.version, checkpoint.position
        kept = from_columns(outputs, checkpoint.outputs)
        file = state_file.write(*told, checkpoint.state, kept)
        return Response(file, media_type=state_file.MEDIA_TYPE)

    @routes.put(
        "/state",
        summary="Let a stream go on from such a file",
        openapi_extra={"requestBody": {"required": True, "content": _FILE}},
        responses=gives(OpenedMessage, 404, 410, 413, 422, 503),
        response_class=Response,
    )
    async def put_state(request: Request, stream_id: str) -> Response:
        """Position, state and answers are the file's from now on; a connection is closed."""
        stream = await engine.resume(stream_id, request.state.owner)
        contract = stream.model.manifest.contract
        body = await read_body(request, state_file.largest(contract, max_kept))
        taken = snapshot.Snapshot(*state_file.read(body, contract))
        await snapshot.put_in(engine.streams, stream, taken, max_kept)
        return json_response(opened(engine, stream), 200)

    @routes.post(
        "/fork",
        status_code=201,
        summary="Open a second stream that stands where this one does",
        responses=gives(OpenedMessage, 404, 409, 410, 503, success=201),
        response_class=Response,
    )
    async def fork_stream(
        request: Request,
        stream_id: str,
        idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
    ) -> Response:
        """Both go on by themselves. The Idempotency-Key is as for opening."""
        key = own_key(request, idempotency_key)
        stream = await engine.fork(stream_id, key, request.state.owner)
        location = {"Location": f"{settings.root_path}/streams/{stream.id}"}
        return json_response(opened(engine, stream), 201, location)

    return routes
