"""/healthz, /readyz and /models: is it alive, is it able, and what does it serve."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from larnn_service.contract import StateTensor
from larnn_service.engine.engine import Engine
from larnn_service.engine.models.lifecycle import State, VersionState
from larnn_service.inputs import Input
from larnn_service.interfaces import Model, Operator
from larnn_service.outputs import Channel, Output
from larnn_service.tensors import ContextTensor


class ModelInfo(BaseModel):
    """A served model, as its manifest describes it, and what runs it."""

    name: str
    version: int
    description: str
    provider: str
    operator: Operator
    sample_rate_hz: float | None
    input: Input
    """What a step is."""
    channels: tuple[Channel, ...]
    """Those of its input; none where it has a range of them, or a frame of samples."""
    vocabulary: int | None
    """How many tokens there are, where its one channel holds tokens."""
    labels: tuple[str, ...]
    """Of the answer; none where it has values, or is raw."""
    outputs: tuple[Output, ...]
    state: tuple[StateTensor, ...]
    context: tuple[ContextTensor, ...]
    """What is given once, when a stream opens or with a request."""
    explains: bool
    """Whether a stream can be told where its steps look."""
    data_terms: str
    """On which terms the data that it learned from is given away; empty where it does not say."""


class VersionInfo(BaseModel):
    """One version: running here, or in the models folder."""

    name: str
    version: int
    state: State
    answers: bool
    """Whether it is what a request for the model gets that names no version."""
    streams: int
    """Open streams of this replica that run on it."""
    on_disk: bool


class Models(BaseModel):
    """What this replica serves; `default` answers a request that names no model."""

    default: str
    models: list[ModelInfo]
    """For each name the version that answers."""
    versions: list[VersionInfo]
    """Every version that runs or is in the folder."""


def _status(text: str, **details: str) -> dict[str, Any]:
    told = {"status": text} | details
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in told}}
    return {"content": {"application/json": {"schema": schema, "example": told}}}


def probes(engine: Engine) -> APIRouter:
    """The routes by which others learn whether it is alive, and whether it is able."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz", summary="Alive", responses={200: _status("alive")})
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @routes.get(
        "/readyz",
        summary="Warm and able",
        responses={
            200: _status("ready"),
            503: _status("not ready", store="SQLite: database or disk is full")
            | {"description": "not now, and why"},
        },
    )
    async def readyz() -> JSONResponse:
        reason = await engine.streams.store.health.check()
        if engine.ready:
            return JSONResponse({"status": "ready"})
        if engine.draining or engine.leaving:
            status = {"status": "draining"}
        elif reason:
            status = {"status": "not ready", "store": reason}
        else:
            status = {"status": "warming up"}
        return JSONResponse(status, 503, {"Retry-After": "1"})

    return routes


def router(engine: Engine) -> APIRouter:
    """The routes of health and of the served models."""
    routes = APIRouter(tags=["health"])
    routes.include_router(probes(engine))

    @routes.get("/models", summary="The served models")
    async def models() -> Models:
        return Models(
            default=engine.models.default,
            models=[_info(model) for model in engine.models.values()],
            versions=version_infos(await engine.control.index()),
        )

    return routes


def version_infos(states: list[VersionState]) -> list[VersionInfo]:
    """Without the reasons, which name files of this machine."""
    return [VersionInfo.model_validate(state, from_attributes=True) for state in states]


def _info(model: Model) -> ModelInfo:
    manifest, contract = model.manifest, model.manifest.contract
    return ModelInfo(
        name=manifest.name,
        version=manifest.version,
        description=manifest.description,
        provider=model.backend.provider,
        operator=model.backend.operator,
        sample_rate_hz=contract.sample_rate_hz,
        input=contract.input,
        channels=contract.input.channels,
        vocabulary=contract.vocabulary and contract.vocabulary.size,
        labels=contract.labels,
        outputs=contract.outputs,
        state=contract.state,
        context=contract.context,
        explains=model.attention is not None,
        data_terms=manifest.data_terms,
    )
