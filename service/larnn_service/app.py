"""create_app(): the only place where things are wired together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from fastapi import FastAPI

from larnn_service import __version__
from larnn_service.admission import auth_middleware
from larnn_service.admission.authorization import Operators
from larnn_service.admission.callers import Callers
from larnn_service.api.desk import Desk
from larnn_service.api.exchange import ShortWay
from larnn_service.api.request_turn import RequestTurn
from larnn_service.backend.model_repository import Repository
from larnn_service.endpoints import (
    classify,
    health,
    live_page,
    metrics,
    model_admin,
    stream_state,
    stream_websocket,
    streams_rest,
)
from larnn_service.endpoints.oip import rest
from larnn_service.endpoints.oip.inference import Inference
from larnn_service.endpoints.oip.repository import ModelRepository
from larnn_service.endpoints.worker_guard import OneWorker
from larnn_service.engine.engine import Engine
from larnn_service.engine.metrics_collector import EngineGauges
from larnn_service.engine.models.registry import Models, at_start
from larnn_service.engine.store.factory import open_store
from larnn_service.engine.streams.registry import Streams
from larnn_service.engine.streams.stream_ids import StreamIds
from larnn_service.errors import StartupError, Unavailable
from larnn_service.settings import Settings
from larnn_service.telemetry import otel
from larnn_service.wire import error_responses, openapi

if TYPE_CHECKING:
    from larnn_service.endpoints.oip.grpc_server import GrpcServer

logger = logging.getLogger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """The service as an ASGI application. Raises StartupError where it cannot serve."""
    folder = Repository(settings.models, settings.provider, settings.concurrency)
    models = at_start(folder, settings.model, settings.versions)
    engine = Engine(models, _streams(settings, models), settings)
    for model in models.loaded().values():
        manifest, backend = model.manifest, model.backend
        on = f"{backend.provider}, operator: {backend.operator}"
        logger.info("%s/%d on %s", manifest.name, manifest.version, on)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await engine.warm_up()
        idle = asyncio.create_task(_rest_idle_streams(engine, settings.idle_timeout))
        yield
        idle.cancel()
        if app.state.short_way is not None:
            app.state.short_way.close()
            await asyncio.sleep(0)  # its connections close before the threads are waited for
        engine.close()
        await engine.streams.store.close()

    engine.streams.metrics.watch(EngineGauges(engine))
    exports = otel.export(engine.streams.metrics)
    app = FastAPI(
        title="LARNN inference service",
        version=__version__,
        lifespan=lifespan,
        telemetry=exports,
    )
    operators, callers = Operators(settings), Callers(settings)
    one_worker = OneWorker(settings)
    inference, repository = Inference(engine, settings), ModelRepository(engine, operators)
    app.state.engine = engine
    app.state.grpc = _grpc_server(engine, inference, repository, callers, settings)
    app.openapi = lambda: openapi.document(app)  # type: ignore[method-assign]
    error_responses.add_handlers(app)
    door = classify.ClassifyDoor(engine, settings)
    app.state.short_way = None
    if exports is otel.OFF:  # else the framework's routing gives each span its name
        app.state.short_way = ShortWay(
            door,
            Desk(engine),
            RequestTurn(engine, settings),
            callers,
            engine.waiting_bytes,
            engine.streams.metrics,
        )
    auth_middleware.guard(app, settings, engine.streams.ids, callers, engine.waiting_bytes)
    app.add_middleware(metrics.Telemetry, metrics=engine.streams.metrics)
    app.include_router(health.router(engine))
    app.include_router(metrics.router(engine.streams.metrics, one_worker))
    app.include_router(classify.router(door, settings))
    app.include_router(model_admin.router(engine, operators, one_worker))
    app.include_router(streams_rest.router(engine, settings))
    app.include_router(stream_state.router(engine, settings))
    app.include_router(stream_websocket.router(engine, settings))
    app.include_router(rest.router(engine, inference, repository, settings))
    live_page.add_page(app)
    return app


def _grpc_server(
    engine: Engine,
    inference: Inference,
    repository: ModelRepository,
    callers: Callers,
    settings: Settings,
) -> GrpcServer | None:
    """None where no port is set: the packages that it takes are imported here and nowhere else."""
    if settings.grpc_port is None:
        return None
    try:
        from larnn_service.endpoints.oip.grpc_methods import Calls
        from larnn_service.endpoints.oip.grpc_server import GrpcServer
        from larnn_service.endpoints.oip.grpc_servicer import Doors
    except (ImportError, RuntimeError) as error:  # tritonclient makes the one into the other
        raise StartupError(
            "LARNN_GRPC_PORT needs packages that are not installed: make serve EXTRAS=grpc, docker "
            f"build --build-arg EXTRAS=grpc, or pip install '.[grpc]' ({error})"
        ) from error
    calls = Calls(engine, inference, repository, settings)
    return GrpcServer(Doors(calls, callers, engine), settings)


def _streams(settings: Settings, models: Models) -> Streams:
    store = open_store(settings.store, ttl=settings.store_ttl, timeout=settings.store_timeout)
    store.prepare()
    secret = settings.secret.get_secret_value()
    if "secret" not in settings.model_fields_set:  # replicas and restarts share the store's
        secret = store.keep_secret(secret)
    return Streams(
        store,
        StreamIds(secret),
        models,
        max_streams=settings.max_streams,
        idle_timeout=settings.idle_timeout,
        checkpoint_steps=settings.checkpoint_steps,
        checkpoint_interval=settings.checkpoint_interval,
    )


async def _rest_idle_streams(engine: Engine, idle_timeout: float) -> None:
    while True:
        await asyncio.sleep(min(idle_timeout / 4, 15.0))
        try:
            await engine.streams.rest_idle()
        except Unavailable:
            logger.warning("idle streams stay in memory: the store does not answer")
        engine.control.release()
