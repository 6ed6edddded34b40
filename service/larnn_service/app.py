"""create_app(): the only place where things are wired together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from larnn_service import __version__
from larnn_service.admission.authorization import Operators
from larnn_service.admission.gate import Gate
from larnn_service.backend.model_repository import Repository
from larnn_service.backend.sources.factory import is_address, open_cache
from larnn_service.endpoints import (
    framework,
    health,
    live_page,
    metrics,
    model_admin,
    openapi,
    shedding,
    stream_state,
    streams_rest,
)
from larnn_service.endpoints.channel import Channel
from larnn_service.endpoints.classify import Classify
from larnn_service.endpoints.decoding import Decoding
from larnn_service.endpoints.exchange import Endpoint, Exchange, Pipeline
from larnn_service.endpoints.metrics_port import MetricsPort
from larnn_service.endpoints.oip import rest
from larnn_service.endpoints.oip.inference import Inference
from larnn_service.endpoints.oip.repository import ModelRepository
from larnn_service.endpoints.oip.rest_infer import Infer
from larnn_service.endpoints.routes import Routes
from larnn_service.endpoints.stream_session import PATH, StreamSession
from larnn_service.endpoints.stream_steps import StreamSteps
from larnn_service.endpoints.worker_guard import OneWorker
from larnn_service.engine.engine import Engine
from larnn_service.engine.metrics_collector import EngineGauges
from larnn_service.engine.models.load_threads import LoadThreads
from larnn_service.engine.models.registry import at_start
from larnn_service.engine_factory import open_engine
from larnn_service.errors import StartupError, Unavailable
from larnn_service.settings import Settings
from larnn_service.tasks import regularly
from larnn_service.telemetry import otel
from larnn_service.transport.asgi import serve_http, serve_websocket
from larnn_service.wire.http import Head, Response, below

if TYPE_CHECKING:
    from larnn_service.endpoints.oip.grpc_server import GrpcServer

logger = logging.getLogger(__name__)


class Service:
    """The service as an ASGI application, and what our own transport asks of it."""

    def __init__(self, settings: Settings, metrics_apart: bool = False) -> None:
        """As `create_app`."""
        self._settings = settings
        threads = LoadThreads(settings.load_timeout)
        fetching = LoadThreads(settings.fetch_timeout, "LARNN_FETCH_TIMEOUT")
        folder = open_repository(settings, fetching)
        models = at_start(folder, settings.model, settings.versions, threads, fetching)
        self.engine = engine = open_engine(settings, models)
        for model in models.loaded().values():
            manifest, backend = model.manifest, model.backend
            on = f"{backend.provider}, operator: {backend.operator}"
            logger.info("%s/%d on %s", manifest.name, manifest.version, on)
        gate = Gate(settings, engine.streams.ids)
        self.bytes = gate.bytes
        self.metrics = engine.streams.metrics
        self._decoding = decoding = Decoding(gate.bytes)
        self.pipeline = Pipeline(gate, self.metrics, decoding)
        self.metrics.watch(EngineGauges(engine, lambda: gate.bytes.total))
        inference = Inference(engine, settings, decoding)
        operators = Operators(settings)
        repository = ModelRepository(engine, operators)
        endpoints: list[Endpoint] = [
            Classify(engine, settings, decoding),
            StreamSteps(engine, settings, decoding),
            Infer(inference, settings, decoding),
        ]
        self._routes = Routes(endpoints)
        self.when_started: Callable[[], Awaitable[None]] = partial(asyncio.sleep, 0)
        """Called once, when the service is warm; may raise StartupError."""
        self.refusal: StartupError | None = None
        """Why it did not start."""
        app = FastAPI(
            title="LARNN inference service",
            version=__version__,
            openapi_url=None,  # `add_document` has it
            docs_url=None,  # a page of our own is there: these load scripts from elsewhere
            redoc_url=None,
            redirect_slashes=False,  # a redirect would repeat the request's Host
            lifespan=self._lifespan,
            telemetry=otel.export(self.metrics),
        )
        framework.surround(app, self.pipeline)
        one_worker = OneWorker(settings)
        app.include_router(health.router(engine))
        self.metrics_port: MetricsPort | None = None
        if metrics_apart:
            self.metrics_port = MetricsPort(engine, self.pipeline)
        else:
            app.include_router(metrics.router(self.metrics, one_worker))
            if settings.metrics_port is not None:
                logger.warning("only python -m service opens LARNN_METRICS_PORT: /metrics is here")
        app.include_router(model_admin.router(engine, operators, one_worker))
        app.include_router(shedding.router(engine, operators, one_worker))
        app.include_router(streams_rest.router(engine, settings))
        app.include_router(stream_state.router(engine, settings))
        app.include_router(rest.router(engine, repository, settings))
        openapi.add_document(app, endpoints, settings.root_path)
        live_page.add_pages(app)
        self.framework: ASGIApp = app
        self.grpc = _grpc_server(engine, inference, repository, gate, settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """For any ASGI server."""
        if scope["type"] in ("http", "websocket"):
            root = self._settings.root_path or scope.get("root_path", "")
            scope = {**scope, "path": below(root, scope["path"]), "root_path": ""}
        if scope["type"] == "http":
            await serve_http(self, scope, receive, send)
        elif scope["type"] == "websocket":
            await serve_websocket(self, scope, receive, send)
        else:
            await self.framework(scope, receive, partial(self._tell_server, send))

    def exchange(self, head: Head, respond: Callable[[Response], None]) -> Exchange | None:
        """The request's exchange; None where the framework takes it."""
        if (match := self._routes.match(head)) is None:
            return None
        return Exchange(self.pipeline, match.endpoint, match.route, match.parameters, head, respond)

    def is_reserved(self, head: Head) -> bool:
        """Whether it is answered on the connections that are kept back for health and
        management."""
        return self.pipeline.gate.is_reserved(head)

    def takes_websocket(self, head: Head) -> bool:
        """Whether there is a websocket at this path."""
        return head.path == PATH

    def session(self, head: Head, channel: Channel) -> StreamSession:
        """A websocket's session on this channel."""
        return StreamSession(self.pipeline, self.engine, self._settings, head, channel)

    async def _tell_server(self, send: Send, message: Message) -> None:
        """Of the start and the end; a refusal is told in words by `process`, not as a traceback."""
        if self.refusal is not None:
            message.pop("message", None)
        await send(message)

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        engine, settings = self.engine, self._settings
        await framework.warm(app)
        try:
            if self.grpc is not None:
                await self.grpc.start()
            await self.when_started()
        except StartupError as error:
            self.refusal = error
            raise
        engine.start()
        resting = min(settings.idle_timeout / 4, 15.0)
        regular = [asyncio.create_task(regularly(resting, partial(_rest_idle_streams, engine)))]
        if (interval := settings.models_poll) is not None:
            regular.append(asyncio.create_task(regularly(interval, engine.control.follow)))
        yield
        for task in regular:
            task.cancel()
        soon = settings.drain_timeout / 8
        within = soon if engine.draining else settings.drain_timeout  # our own server has drained
        await engine.drain(within)
        if self.grpc is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self.grpc.stop()
        self.pipeline.close()
        await asyncio.sleep(0)  # what was refused just now lets go before the threads are awaited
        engine.close(soon)
        self._decoding.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(soon):
                await engine.streams.store.close()


def create_app(settings: Settings, metrics_apart: bool = False) -> Service:
    """The service as an ASGI application. `metrics_apart`: whoever runs it opens a port for its
    `metrics_port`, which has /metrics then. Raises StartupError where it cannot serve."""
    return Service(settings, metrics_apart)


def open_repository(settings: Settings, fetching: LoadThreads) -> Repository:
    """The folder of the models, filled where they come from elsewhere. Raises StartupError."""
    open_folder = partial(
        Repository,
        provider=settings.provider,
        runs=settings.concurrency,
        max_bytes=settings.max_model,
        run_within=settings.request_timeout,
        served_as=settings.served_as,
    )
    if not is_address(settings.models):
        return open_folder(Path(settings.models))
    root = settings.models_cache.expanduser()
    cache = open_cache(settings.models, root, settings.max_model, settings.fetch_timeout)
    folder = open_folder(cache.root, refresh=cache.refresh)
    try:
        refresh = partial(cache.refresh, first=True)
        refused = fetching.now(refresh, f"fetching {settings.models}")
    except StartupError as error:
        if not folder.names():
            raise
        logger.error("what was fetched before serves: %s", error)
    else:
        if refused and not folder.names():
            raise StartupError(min(refused.values()))
    return folder


def _grpc_server(
    engine: Engine,
    inference: Inference,
    repository: ModelRepository,
    gate: Gate,
    settings: Settings,
) -> GrpcServer | None:
    """None where no port is set: the packages that it takes are imported here and nowhere else."""
    if settings.grpc_port is None:
        return None
    try:
        from larnn_service.endpoints.oip.grpc_answers import Answers
        from larnn_service.endpoints.oip.grpc_arrival import Arrival
        from larnn_service.endpoints.oip.grpc_methods import Calls
        from larnn_service.endpoints.oip.grpc_server import GrpcServer
        from larnn_service.endpoints.oip.grpc_servicer import Doors
    except (ImportError, RuntimeError) as error:  # tritonclient makes the one into the other
        raise StartupError(
            "LARNN_GRPC_PORT needs packages that are not installed: make serve EXTRAS=grpc, docker "
            f"build --build-arg EXTRAS=grpc, or pip install 'larnn[grpc]' ({error})"
        ) from error
    calls = Calls(engine, inference, repository, settings)
    arrival, answers = Arrival(settings, gate.alone), Answers(settings)
    doors = Doors(calls, gate, engine, arrival, answers)
    return GrpcServer(doors, engine, arrival, answers, settings)


async def _rest_idle_streams(engine: Engine) -> None:
    with contextlib.suppress(Unavailable):  # they stay in memory; the store's log says why
        await engine.streams.store.health.check()
        await engine.streams.rest_idle()
    engine.control.release()
