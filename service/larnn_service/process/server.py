"""The server under uvicorn: made from settings, ready for SIGHUP, drained before it ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import resource
import signal
import socket
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from larnn_service.app import create_app
from larnn_service.process.bind_policy import check_exposure, check_tls
from larnn_service.process.sockets import BACKLOG
from larnn_service.settings import Settings
from larnn_service.tasks import Tasks
from larnn_service.telemetry import logs
from larnn_service.transport.http_connection import HttpConnection
from larnn_service.transport.hub import RESERVE, Hub, Limits

logger = logging.getLogger(__name__)

_LOGGED = (("uvicorn", "server.py"), ("lifespan", "on.py"))


FILES = 128
"""Open files that are kept for what is no client's: models, stores, logs."""


def limits(settings: Settings) -> Limits:
    """What clients may hold of the transport; as many connections as there can be open files.

    The limit of open files is raised to what the system allows this process.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # not everywhere may it be raised so far
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    room = max(soft - FILES - RESERVE, 1)
    if room < settings.max_connections:
        logger.warning("%d open files leave room for %d connections", soft, room)
    return Limits(
        settings.max_message,
        settings.send_timeout,
        arrival_timeout=settings.arrival_timeout,
        max_connections=min(settings.max_connections, room),
    )


class NoHandshakes(logging.Filter):
    """Keeps uvicorn's word of its start and end, and of no handshake: those hold stream ids, and
    with LARNN_LOG_LEVEL=debug every header."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.INFO or Path(record.pathname).parts[-2:] in _LOGGED


_NO_HANDSHAKES = NoHandshakes()


class Server:
    """One process of the service. On SIGTERM it drains while it still listens, then ends."""

    def __init__(self, settings: Settings) -> None:
        """Raises StartupError."""
        check_exposure(settings)
        check_tls(settings)
        self.app = app = create_app(settings)
        self.hub = hub = Hub(app, limits(settings))
        self.when_ready: Callable[[], None] = lambda: None
        """Called once it is warm; what has connected to a listening socket is served from now."""
        self._drain_timeout = settings.drain_timeout
        self._tasks = Tasks()
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        app.when_started = self._started
        if app.grpc is None:  # whose connections nobody counts
            app.engine.alone = lambda: len(hub.connections) == 1
        protocol: Any = partial(HttpConnection, hub)
        self.config = uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http=protocol,
            ws="none",
            backlog=BACKLOG,
            ssl_certfile=settings.tls_cert,
            ssl_keyfile=settings.tls_key,
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=int(settings.drain_timeout),
        )
        logging.getLogger("uvicorn.error").addFilter(_NO_HANDSHAKES)
        self._server = uvicorn.Server(self.config)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until `stop`, or a signal where this is the main thread. Raises StartupError."""
        for own in sockets or []:
            own.listen(BACKLOG)
        try:
            self._server.run(sockets)
        except SystemExit:
            if self.app.refusal is not None:
                raise self.app.refusal from None
            raise

    def stop(self) -> None:
        """Drain, then end. From the event loop's thread; a second time it ends at once."""
        if self._stopping:
            self.hub.abort()
            self._server.should_exit = True
            return
        self._stopping = True
        self._tasks.start(self._drain())

    def stop_from_elsewhere(self) -> None:
        """`stop` from another thread."""
        if self._loop is None:  # it is not warm yet, and has nothing to drain
            self._server.should_exit = True
        else:
            self._loop.call_soon_threadsafe(self.stop)

    def _started(self) -> None:
        self._loop = loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():
            loop.add_signal_handler(signal.SIGHUP, self._reload)
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.stop)
        self.when_ready()

    def _reload(self) -> None:
        self._tasks.start(self.app.engine.control.reload())

    async def _drain(self) -> None:
        """Streams are told to reconnect, running work ends, and then the listener closes."""
        try:
            await self.app.engine.drain(self._drain_timeout)
            await self.hub.drain(self._drain_timeout)
            self.app.pipeline.close()
            await asyncio.sleep(0)
            self.hub.abort()
        finally:
            self._server.should_exit = True


def prepare(settings: Settings) -> Server:
    """The service of this process, with its log. Raises StartupError."""
    logs.configure(settings.log_level, settings.log_format)
    server = Server(settings)
    _collect_seldom()
    return server


def _collect_seldom() -> None:
    """Models and endpoints stay for good, and a body of JSON may be thousands of short-lived lists
    without a cycle: looking through them for garbage again and again costs a fifth of a request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
