"""GET /metrics: what was measured, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST

from larnn_service.endpoints.worker_guard import OneWorker
from larnn_service.telemetry.metrics import Metrics


def router(metrics: Metrics, one_worker: OneWorker | None = None) -> APIRouter:
    """The route of the metrics; `one_worker` refuses where several share its port."""
    guards = [] if one_worker is None else [Depends(one_worker)]
    routes = APIRouter(tags=["health"], dependencies=guards)

    @routes.get("/metrics", summary="What was measured, for Prometheus", response_class=Response)
    async def read_metrics() -> Response:
        return Response(await metrics.text(), media_type=CONTENT_TYPE_LATEST)

    return routes
