"""The metrics' own port: /metrics, /healthz and /readyz without a key, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from fastapi import FastAPI
from starlette.types import ASGIApp

from larnn_service.endpoints import framework, health, metrics
from larnn_service.endpoints.channel import Channel
from larnn_service.endpoints.exchange import Pipeline
from larnn_service.engine.engine import Engine
from larnn_service.wire.http import Head, Response


class MetricsPort:
    """What a transport hands the port's requests to."""

    def __init__(self, engine: Engine, pipeline: Pipeline) -> None:
        app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
        framework.surround(app, pipeline, pipeline.gate.admit_to_metrics)
        app.include_router(health.probes(engine))
        app.include_router(metrics.router(pipeline.metrics))
        self.framework: ASGIApp = app
        self.bytes = pipeline.gate.bytes

    def exchange(self, head: Head, respond: Callable[[Response], None]) -> None:
        """The framework takes every request."""
        return None

    def is_reserved(self, head: Head) -> bool:
        """None is kept back: all are for health and metrics."""
        return False

    def takes_websocket(self, head: Head) -> bool:
        """There is none."""
        return False

    def session(self, head: Head, channel: Channel) -> NoReturn:
        """Nobody comes so far."""
        raise NotImplementedError
