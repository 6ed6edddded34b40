"""The outermost middleware: what comes of each request is measured in one place, and what nobody
foresaw is answered. GET /metrics."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from larnn_service.endpoints.worker_guard import OneWorker
from larnn_service.telemetry.calls import CALL, Call
from larnn_service.telemetry.metrics import Metrics
from larnn_service.wire import error_responses

logger = logging.getLogger(__name__)

_DECENT = re.compile(rb"[A-Za-z0-9._-]{1,64}")
REQUEST_ID = b"x-request-id"


class Telemetry:
    """ASGI middleware: a Call for each request and websocket, and its door, status and time."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            return await self._app(scope, receive, send)
        given = given_id(scope["headers"])
        call = Call(self._metrics, scope, given)
        CALL.set(call)
        if kind == "websocket":
            return await self._app(scope, receive, send)
        start, started, status = time.perf_counter(), False, 500

        async def noted(message: Message) -> None:
            nonlocal started, status
            if message["type"] == "http.response.start":
                started, status = True, message["status"]
                if given is not None or status >= 400:
                    message["headers"] = [*message["headers"], (REQUEST_ID, call.id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:
            if started:  # the rest of the answer cannot be told
                raise
            door = f"{scope['method']} {call.door}"
            response = error_responses.answer(error, scope["path"], door)
            await response(scope, receive, noted)
        finally:
            seconds = time.perf_counter() - start
            measured(self._metrics, call.door, call.model, status, seconds)
            logger.debug("%s %s %d in %.4f s", scope["method"], call.door, status, seconds)


def measured(metrics: Metrics, door: str, model: str, status: int, seconds: float) -> None:
    """A request has been answered."""
    metrics.observer(metrics.requests, door, model, str(status)).observe(seconds)


def given_id(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The caller's own name for the request, where it is a decent one."""
    return decent(next((value for name, value in headers if name == REQUEST_ID), None))


def decent(value: bytes | None) -> str | None:
    """That name, where it has one that is fit for a log."""
    return value.decode() if value is not None and _DECENT.fullmatch(value) else None


def router(metrics: Metrics, one_worker: OneWorker) -> APIRouter:
    routes = APIRouter(tags=["health"], dependencies=[Depends(one_worker)])

    @routes.get("/metrics", summary="What was measured, for Prometheus", response_class=Response)
    async def read_metrics() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return routes
