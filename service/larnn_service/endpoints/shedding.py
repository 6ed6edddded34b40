"""POST /shed: an operator lets a part of this replica's live streams go to the others."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from larnn_service.admission.authorization import Operators
from larnn_service.endpoints.openapi import gives, takes
from larnn_service.endpoints.request_body import SMALL, read_body
from larnn_service.endpoints.worker_guard import OneWorker
from larnn_service.engine.engine import Engine
from larnn_service.errors import Conflict
from larnn_service.wire.http_schemas import ShedBody
from larnn_service.wire.json_bodies import decode_json
from larnn_service.wire.stream_schemas import OpenedMessage


class Shed(BaseModel):
    """How many connections are being closed, of how many."""

    shed: int
    connections: int


_SHED = msgspec.json.Decoder(ShedBody)
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: gives(OpenedMessage, status)[status] for status in (403, 409, 422, 503)
}


def router(engine: Engine, operators: Operators, one_worker: OneWorker) -> APIRouter:
    """The route by which an operator spreads streams anew."""

    def operator(request: Request) -> None:
        operators.check(request.state.owner)

    routes = APIRouter(
        tags=["operations"],
        dependencies=[Depends(operator), Depends(one_worker)],
        responses=_PROBLEMS,
    )

    @routes.post(
        "/shed",
        summary="Close a share of the websockets, so that their clients connect elsewhere",
        openapi_extra=takes(ShedBody, {"share": 0.5}),
    )
    async def shed(request: Request) -> Shed:
        """Each closes with 1012 behind its answer and its checkpoint."""
        share = decode_json(_SHED, await read_body(request, SMALL) or b"{}").share
        streams = engine.streams
        if streams.store.survives == "connection":
            raise Conflict("these streams are in this process alone: name a store to share them")
        open_ones = len(streams.connections)
        return Shed(shed=streams.connections.shed(share), connections=open_ones)

    return routes
