"""/v2/models/NAME and /v2/models/NAME/versions/VERSION: a model's endpoints over HTTP."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response

from larnn_service.endpoints.framework import json_response
from larnn_service.endpoints.oip import metadata
from larnn_service.endpoints.oip.inference import version_number, versions_of
from larnn_service.endpoints.oip.openapi_examples import CONFIG
from larnn_service.endpoints.oip.schemas import InferError, ModelMetadata, ModelReady, Statistics
from larnn_service.endpoints.oip.statistics import statistics
from larnn_service.endpoints.openapi import content
from larnn_service.engine.engine import Engine
from larnn_service.settings import Settings

_CONFIGURED = {
    "description": "Triton's ModelConfig.",
    "content": {"application/json": {"schema": {"type": "object"}, "example": CONFIG}},
}


def router(engine: Engine, settings: Settings) -> APIRouter:
    """The routes of one model, and of one of its versions."""
    routes = APIRouter(default_response_class=Response)

    @routes.get(
        "/ready",
        summary="A model takes requests",
        responses=says(ModelReady, 200, 503) | errors(404),
    )
    async def model_ready(name: str, version: str = "") -> Response:
        engine.model(name, version_number(version))
        return json_response(ModelReady(name, engine.ready), 200 if engine.ready else 503)

    @routes.get(
        "",
        summary="Inputs and outputs, without the state",
        responses=says(ModelMetadata) | errors(404),
    )
    async def model_metadata(name: str, version: str = "") -> Response:
        return json_response(metadata.model(engine, engine.model(name, version_number(version))))

    @routes.get("/config", summary="Configuration", responses={200: _CONFIGURED, **errors(404)})
    async def model_config(name: str, version: str = "") -> Response:
        return json_response(metadata.config(engine.model(name, version_number(version)), settings))

    @routes.get("/stats", summary="Statistics", responses=says(Statistics) | errors(404))
    async def model_statistics(name: str, version: str = "") -> Response:
        asked = versions_of(engine, name, version)
        return json_response(statistics(engine.streams.metrics, asked))

    return routes


def says(body: type[msgspec.Struct], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI for what an endpoint answers, with 200 unless told."""
    answer = {"description": body.__doc__ or "", "content": content(body, "json")}
    return dict.fromkeys(statuses or (200,), answer)


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI for the errors that an endpoint may give."""
    problem = {"description": "what is wrong", "content": content(InferError, "json")}
    return dict.fromkeys(statuses, problem)
