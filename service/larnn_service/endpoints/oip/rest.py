"""/v2: the Open Inference Protocol over HTTP. The server's endpoints and the repository's."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from larnn_service.endpoints.framework import json_response
from larnn_service.endpoints.oip import metadata, rest_models
from larnn_service.endpoints.oip.openapi_examples import EXAMPLES
from larnn_service.endpoints.oip.repository import ModelRepository
from larnn_service.endpoints.oip.rest_models import errors, says
from larnn_service.endpoints.oip.schemas import (
    IndexBody,
    IndexEntry,
    RepositoryBody,
    ServerLive,
    ServerMetadata,
    ServerReady,
    Statistics,
)
from larnn_service.endpoints.oip.statistics import statistics
from larnn_service.endpoints.openapi import reference, takes
from larnn_service.endpoints.request_body import SMALL, read_body
from larnn_service.endpoints.worker_guard import OneWorker
from larnn_service.engine.engine import Engine
from larnn_service.settings import Settings
from larnn_service.wire.error_responses import OIP
from larnn_service.wire.json_bodies import decode_json

_INDEXED = {
    "description": "Every version, of one model after the other.",
    "content": {
        "application/json": {
            "schema": {"type": "array", "items": reference(IndexEntry)},
            "example": [EXAMPLES["IndexEntry"]],
        }
    },
}
_INDEX = msgspec.json.Decoder(IndexBody)
_REPOSITORY = msgspec.json.Decoder(RepositoryBody)


def router(engine: Engine, repository: ModelRepository, settings: Settings) -> APIRouter:
    """The routes of the server, its health and its repository."""
    routes = APIRouter(
        prefix=OIP, tags=["Open Inference Protocol"], default_response_class=Response
    )
    one_worker = [Depends(OneWorker(settings))]

    @routes.get("", summary="Server metadata", responses=says(ServerMetadata))
    async def server_metadata() -> Response:
        return json_response(metadata.server())

    @routes.get("/health/live", summary="Alive", responses=says(ServerLive))
    async def live() -> Response:
        return json_response(ServerLive(True))

    @routes.get("/health/ready", summary="Warm and able", responses=says(ServerReady, 200, 503))
    async def ready() -> Response:
        return json_response(ServerReady(engine.ready), 200 if engine.ready else 503)

    @routes.post(
        "/repository/index",
        summary="Every version of every model",
        openapi_extra=takes(IndexBody, {"ready": False}),
        responses={200: _INDEXED, **errors(400, 413)},
    )
    async def repository_index(request: Request) -> Response:
        asked = decode_json(_INDEX, await read_body(request, SMALL) or b"{}")
        return json_response(await repository.index(asked.ready))

    @routes.post(
        "/repository/models/{name}/load",
        summary="Load the newest version of a model, for operators",
        openapi_extra=takes(RepositoryBody, {}),
        responses=errors(400, 403, 404, 409, 413, 503),
        dependencies=one_worker,
    )
    async def load(request: Request, name: str) -> Response:
        repository.check(request.state.owner)
        await repository.load(name, await parameters(request))
        return Response()

    @routes.post(
        "/repository/models/{name}/unload",
        summary="Take a model out of service, for operators",
        openapi_extra=takes(RepositoryBody, {}),
        responses=errors(400, 403, 404, 409, 413),
        dependencies=one_worker,
    )
    async def unload(request: Request, name: str) -> Response:
        repository.check(request.state.owner)
        await parameters(request)
        await repository.unload(name)
        return Response()

    async def parameters(request: Request) -> dict[str, Any]:
        body = await read_body(request, SMALL)
        return decode_json(_REPOSITORY, body or b"{}").parameters

    @routes.get("/models/stats", summary="Statistics of every model", responses=says(Statistics))
    async def all_statistics() -> Response:
        return json_response(statistics(engine.streams.metrics, engine.models.loaded().values()))

    models = rest_models.router(engine, settings)
    routes.include_router(models, prefix="/models/{name}")
    routes.include_router(models, prefix="/models/{name}/versions/{version}")
    return routes
