"""/models/NAME/load, unload, migrate: what an operator does to the models while they serve."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from larnn_service.admission.authorization import Operators
from larnn_service.endpoints.health import VersionInfo, version_infos
from larnn_service.endpoints.openapi import gives, takes
from larnn_service.endpoints.request_body import SMALL, read_body
from larnn_service.endpoints.worker_guard import OneWorker
from larnn_service.engine.engine import Engine
from larnn_service.wire.http_schemas import WhichBody
from larnn_service.wire.json_bodies import decode_json
from larnn_service.wire.stream_schemas import OpenedMessage


class Operated(BaseModel):
    """The model's versions as they are now."""

    versions: list[VersionInfo]


class Migrated(Operated):
    """And how many open streams moved."""

    migrated: int


_WHICH = msgspec.json.Decoder(WhichBody)
_BODY = takes(WhichBody, {"version": None})
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: gives(OpenedMessage, status)[status] for status in (403, 404, 409, 422, 503)
}


def router(engine: Engine, operators: Operators, one_worker: OneWorker) -> APIRouter:
    """The routes by which an operator changes the models."""

    def operator(request: Request) -> None:
        operators.check(request.state.owner)

    routes = APIRouter(
        prefix="/models/{name}",
        tags=["models"],
        dependencies=[Depends(operator), Depends(one_worker)],
        responses=_PROBLEMS,
    )

    @routes.post(
        "/load", summary="Load a version, or the newest, and let it answer", openapi_extra=_BODY
    )
    async def load(request: Request, name: str) -> Operated:
        """It is verified and warm before it answers; the former one ends what it has begun."""
        await engine.control.load(name, await version(request))
        return Operated(versions=await infos(name))

    @routes.post(
        "/unload",
        summary="Let a version, or the whole model, take no new work",
        openapi_extra=_BODY,
    )
    async def unload(request: Request, name: str) -> Operated:
        """Open streams go on with it until they end."""
        await engine.control.unload(name, await version(request))
        return Operated(versions=await infos(name))

    @routes.post(
        "/migrate", summary="Move streams to the version that answers", openapi_extra=_BODY
    )
    async def migrate(request: Request, name: str) -> Migrated:
        """Those of one version, or of all; their contracts must be the same."""
        migrated = await engine.control.migrate(name, await version(request))
        return Migrated(versions=await infos(name), migrated=migrated)

    async def version(request: Request) -> int | None:
        """The version that the body names, which is read only for an operator."""
        return decode_json(_WHICH, await read_body(request, SMALL) or b"{}").version

    async def infos(name: str) -> list[VersionInfo]:
        return version_infos(await engine.control.index(name))

    return routes
