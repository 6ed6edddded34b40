"""/models/NAME/load, unload, migrate: what an operator does to the models while they serve."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from larnn_service.admission.authorization import Operators
from larnn_service.endpoints.health import VersionInfo, version_infos
from larnn_service.endpoints.openapi import gives
from larnn_service.endpoints.worker_guard import OneWorker
from larnn_service.engine.engine import Engine
from larnn_service.wire.stream_schemas import OpenedMessage


class Which(BaseModel):
    """One version of the model, or what the door says without it."""

    model_config = ConfigDict(extra="forbid")

    version: int | None = Field(None, ge=1)


class Operated(BaseModel):
    """The model's versions as they are now."""

    versions: list[VersionInfo]


class Migrated(Operated):
    """And how many open streams moved."""

    migrated: int


NONE_NAMED = Which()
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

    @routes.post("/load", summary="Load a version, or the newest, and let it answer")
    async def load(name: str, which: Which = NONE_NAMED) -> Operated:
        """It is verified and warm before it answers; the former one ends what it has begun."""
        await engine.control.load(name, which.version)
        return Operated(versions=await infos(name))

    @routes.post("/unload", summary="Let a version, or the whole model, take no new work")
    async def unload(name: str, which: Which = NONE_NAMED) -> Operated:
        """Open streams go on with it until they end."""
        await engine.control.unload(name, which.version)
        return Operated(versions=await infos(name))

    @routes.post("/migrate", summary="Move streams to the version that answers")
    async def migrate(name: str, which: Which = NONE_NAMED) -> Migrated:
        """Those of one version, or of all; their contracts must be the same."""
        migrated = await engine.control.migrate(name, which.version)
        return Migrated(versions=await infos(name), migrated=migrated)

    async def infos(name: str) -> list[VersionInfo]:
        return version_infos(await engine.control.index(name))

    return routes
