"""create_app(): the only place where things are wired together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping

from fastapi import FastAPI

from service import __version__
from service.api import (
    access,
    classify,
    failures,
    health,
    schemas,
    stream,
    stream_state,
    streams,
)
from service.api.shortcut import Shortcut
from service.backend.base import Model
from service.backend.repository import load_repository
from service.engine.engine import Engine
from service.engine.stores import open_store
from service.engine.stream_ids import StreamIds
from service.engine.streams import Streams
from service.errors import StartupError, Unavailable
from service.settings import Settings

logger = logging.getLogger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """The service as an ASGI application. Raises StartupError where it cannot serve."""
    if settings.workers > 1:
        raise StartupError(
            f"LARNN_WORKERS={settings.workers}, but a replica is one process, and the memory store "
            "lives in one: set LARNN_CONCURRENCY instead, or start more replicas"
        )
    models = load_repository(
        settings.models, settings.model, settings.provider, settings.concurrency
    )
    engine = Engine(models, _streams(settings, models), settings)
    for model in engine.models.values():
        manifest, backend = model.manifest, model.backend
        on = f"{backend.provider}, operator: {backend.operator}"
        logger.info("%s/%d on %s", manifest.name, manifest.version, on)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await engine.warm_up()
        idle = asyncio.create_task(_rest_idle_streams(engine.streams, settings.idle_timeout))
        yield
        idle.cancel()
        engine.close()
        await engine.streams.store.close()

    app = FastAPI(title="LARNN inference service", version=__version__, lifespan=lifespan)
    app.state.engine = engine
    app.openapi = lambda: schemas.document(app)  # type: ignore[method-assign]
    failures.add_handlers(app)
    door = classify.ClassifyDoor(engine, settings)
    app.add_middleware(Shortcut, path=classify.PATH, door=door)
    access.guard(app, settings, engine.streams.ids)
    app.include_router(health.router(engine))
    app.include_router(classify.router(door))
    app.include_router(streams.router(engine, settings))
    app.include_router(stream_state.router(engine, settings))
    app.include_router(stream.router(engine, settings))
    return app


def _streams(settings: Settings, models: Mapping[str, Model]) -> Streams:
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


async def _rest_idle_streams(streams: Streams, idle_timeout: float) -> None:
    while True:
        await asyncio.sleep(min(idle_timeout / 4, 15.0))
        try:
            await streams.rest_idle()
        except Unavailable:
            logger.warning("idle streams stay in memory: the store does not answer")
