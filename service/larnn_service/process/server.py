"""The server under uvicorn: made from settings, ready for SIGHUP, drained before it ends."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI

from larnn_service.api.direct import KEEP_ALIVE, direct
from larnn_service.api.websocket import bounded
from larnn_service.app import create_app
from larnn_service.engine.engine import Engine
from larnn_service.process.bind_policy import check_exposure, check_tls
from larnn_service.settings import Settings
from larnn_service.telemetry import logs

if TYPE_CHECKING:
    from larnn_service.endpoints.oip.grpc_server import GrpcServer

_LOGGED = (("uvicorn", "server.py"), ("lifespan", "on.py"))


class NoHandshakes(logging.Filter):
    """Keeps uvicorn's word of its start and end, and of no handshake: those hold stream ids, and
    with LARNN_LOG_LEVEL=debug every header."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.INFO or Path(record.pathname).parts[-2:] in _LOGGED


_NO_HANDSHAKES = NoHandshakes()


class DrainingServer(uvicorn.Server):
    """Lets running work end before the listener closes: streams are told to reconnect."""

    def __init__(self, app: FastAPI, settings: Settings, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._engine: Engine = app.state.engine
        self._grpc: GrpcServer | None = app.state.grpc
        self._drain_timeout = settings.drain_timeout
        self.when_ready: Callable[[], None] = lambda: None
        """Called once it listens."""
        if self._grpc is None:  # whose connections nobody counts
            self._engine.alone = lambda: len(self.server_state.connections) == 1

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload)
        if self._grpc is not None:
            await self._grpc.start()
        await super().startup(sockets)
        self.when_ready()

    def _reload(self) -> None:
        self._reloading = asyncio.create_task(self._engine.control.reload())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._engine.drain(self._drain_timeout)
        if self._grpc is not None:
            await self._grpc.stop()
        await super().shutdown(sockets)


def prepare(settings: Settings) -> DrainingServer:
    """The service of this process, with its log. Raises StartupError."""
    logs.configure(settings.log_level, settings.log_format)
    server = make_server(settings)
    _collect_seldom()
    return server


def _collect_seldom() -> None:
    """Models and doors stay for good, and a body of JSON is thousands of short-lived lists without
    a cycle: looking through them for garbage again and again costs a fifth of a request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def make_server(settings: Settings) -> DrainingServer:
    """The service ready to run. Raises StartupError."""
    check_exposure(settings)
    check_tls(settings)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools" if app.state.short_way is None else direct(app.state.short_way),
        ws=bounded(settings.send_timeout, app.state.engine.waiting_bytes, settings.max_message),
        ws_max_size=settings.max_message,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        ws_per_message_deflate=False,
        access_log=False,
        proxy_headers=False,
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=int(settings.drain_timeout),
    )
    logging.getLogger("uvicorn.error").addFilter(_NO_HANDSHAKES)
    return DrainingServer(app, settings, config)
