"""create_app(): the only place where things are wired together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from fastapi import FastAPI

from service import __version__
from service.api import access, classify, failures, health, schemas, stream, streams
from service.backend.repository import load_repository
from service.engine.engine import Engine
from service.engine.store import MemoryStore
from service.engine.stream_ids import StreamIds
from service.engine.streams import Streams
from service.errors import StartupError
from service.settings import Settings

logger = logging.getLogger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """The service as an ASGI application. Raises StartupError where it cannot serve."""
    if settings.workers > 1:
        raise StartupError(
            f"LARNN_WORKERS={settings.workers}, but LARNN_STORE=memory lives in one process: "
            "set LARNN_CONCURRENCY instead, or start more replicas"
        )
    ids = StreamIds(settings.secret.get_secret_value())
    engine = Engine(
        load_repository(settings.models, settings.model, settings.provider),
        Streams(
            MemoryStore(),
            ids,
            max_streams=settings.max_streams,
            idle_timeout=settings.idle_timeout,
        ),
        settings,
    )
    for model in engine.models.values():
        manifest = model.manifest
        logger.info("%s/%d on %s", manifest.name, manifest.version, model.backend.provider)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await engine.warm_up()
        expiry = asyncio.create_task(_expire_idle_streams(engine.streams, settings.idle_timeout))
        yield
        expiry.cancel()
        engine.close()

    app = FastAPI(title="LARNN inference service", version=__version__, lifespan=lifespan)
    app.state.engine = engine
    app.openapi = lambda: schemas.document(app)  # type: ignore[method-assign]
    failures.add_handlers(app)
    access.guard(app, settings, ids)
    app.include_router(health.router(engine))
    app.include_router(classify.router(engine, settings))
    app.include_router(streams.router(engine, settings))
    app.include_router(stream.router(engine, settings))
    return app


async def _expire_idle_streams(streams: Streams, idle_timeout: float) -> None:
    while True:
        await asyncio.sleep(min(idle_timeout / 4, 15.0))
        await streams.expire_idle()
