"""The server under uvicorn: made from settings, ready for SIGHUP, drained before it ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace

import uvicorn

from larnn_service.app import create_app
from larnn_service.process import open_files
from larnn_service.process.bind_policy import certificate, check_exposure, renew_certificate
from larnn_service.process.ending import PATIENCE, end_after
from larnn_service.process.listener import Listener
from larnn_service.process.memory import give_large_blocks_back
from larnn_service.process.sockets import bound, listen
from larnn_service.settings import Settings
from larnn_service.signals import wait_for
from larnn_service.tasks import Tasks, do
from larnn_service.transport.hub import RESERVE, Hub, Limits

logger = logging.getLogger(__name__)

DRAINING = 1.5
"""Times the drain timeout that all of the drain may take; the rest is for closing."""


CONNECTIONS = 64
"""Open at once at the metrics' own port: a few scrapers and probes come there."""
FILES = 128
"""Open files that are kept for what is no client's: models, stores, logs."""


def limits(settings: Settings) -> Limits:
    """What clients may hold of the transport; as many connections as there can be open files, of
    which gRPC's have one half where it has a port."""
    files = open_files.allowed()
    aside = 0 if settings.metrics_port is None else CONNECTIONS + RESERVE
    room = max(files - FILES - RESERVE - aside, 1)
    if settings.grpc_port is not None:
        room = max(room // 2, 1)
    if room < settings.max_connections:
        beside = "" if settings.grpc_port is None else ", and for as many of gRPC"
        logger.warning("%d open files leave room for %d connections%s", files, room, beside)
    return Limits(
        settings.max_message,
        settings.send_timeout,
        arrival_timeout=settings.arrival_timeout,
        max_connections=min(settings.max_connections, room),
        keep_alive=settings.keep_alive,
        root_path=settings.root_path,
    )


class Server:
    """One process of the service. On SIGTERM it drains while it still listens, then ends."""

    def __init__(self, settings: Settings) -> None:
        """Raises StartupError."""
        check_exposure(settings)
        self._tls = certificate(settings)
        apart = settings.metrics_port
        own = None if apart is None else bound(settings.host, apart, shared=False)
        self.app = app = create_app(settings, metrics_apart=own is not None)
        most = limits(settings)
        self.hub = hub = Hub(app, most)
        self.when_ready: Callable[[], None] = lambda: None
        """Called once it is warm; what has connected to a listening socket is served from now."""
        self._settings = settings
        self._drain_timeout, self._drain_delay = settings.drain_timeout, settings.drain_delay
        self._tasks = Tasks()
        self._stopping = self._ending = self._reload_wanted = self._says_where = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listener: Listener | None = None
        self._aside: Listener | None = None
        if own is not None and app.metrics_port is not None:
            own_hub = Hub(app.metrics_port, replace(most, max_connections=CONNECTIONS))
            self._aside = Listener(own_hub, [own], self._tls)
        app.when_started = self._started
        if app.grpc is None:  # whose connections grpc alone counts
            app.engine.alone = lambda: len(hub.connections) == 1
        else:
            app.grpc.max_connections = most.max_connections
        config = uvicorn.Config(
            app,
            loop="auto",  # uvloop, which Windows has not
            ws="none",
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=max(int(settings.drain_timeout / 8), 1),
        )
        self._server = uvicorn.Server(config)

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until `stop`, or a signal where this is the main thread. Raises StartupError.

        The main thread gives the event loop a thread of its own, so that a signal is heard whatever
        the loop does.
        """
        settings = self._settings
        listen(sockets or [])
        self._says_where = sockets is None
        if sockets is None:
            sockets = [bound(settings.host, settings.port, shared=False)]
        self._listener = Listener(self.hub, sockets, self._tls)
        if threading.current_thread() is not threading.main_thread():
            return self._serve()
        ended: Future[None] = Future()
        thread = threading.Thread(target=do, args=[self._serve, ended], name="loop", daemon=True)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        thread.start()
        wait_for(ended)

    def _serve(self) -> None:
        """uvicorn has the loop and the lifespan; its sockets are none, since ours are counted."""
        try:
            self._server.run(sockets=[])
        except SystemExit:
            if self.app.refusal is not None:
                raise self.app.refusal from None
            raise

    def _end(self, *_: object) -> None:
        if not self._ending:
            self._ending = True
            end_after(self._drain_delay + PATIENCE * self._drain_timeout)
        self.stop_from_elsewhere()

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
            self._soon(self.stop)

    def reload(self, *_: object) -> None:
        """Of a signal: once it serves, take models and certificate as they are then."""
        self._reload_wanted = True
        if self._loop is not None:
            self._soon(self._renew)

    async def _started(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._aside is not None:
            await self._aside.open()
            logger.info("metrics on %s", self._aside.address.partition("//")[2])
        assert self._listener is not None
        await self._listener.open()
        self.when_ready()
        if self._says_where:
            logger.info("running on %s", self._listener.address)
        if self._reload_wanted:
            self._renew()

    def _renew(self) -> None:
        self._tasks.start(self.app.engine.control.reload())
        if self._tls is not None:
            renew_certificate(self._tls, self._settings)

    def _soon(self, work: Callable[[], object]) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # it is closed: all is over
            self._loop.call_soon_threadsafe(work)

    async def _drain(self) -> None:
        """Streams are told to reconnect, running work ends, and then the listener closes."""
        within = self._drain_timeout
        self.app.engine.leaving = True
        await asyncio.sleep(self._drain_delay)
        try:
            async with asyncio.timeout(DRAINING * within):
                await self.app.engine.drain(within)
                closing = [self.hub.drain(within)]
                if self.app.grpc is not None:
                    closing.append(self.app.grpc.stop())
                await asyncio.gather(*closing)
        except TimeoutError:
            logger.warning("some work has not ended in time, and is given up")
        except Exception:
            logger.exception("the drain has not gone to its end")
        finally:
            self._server.should_exit = True
            self.app.pipeline.close()
            await asyncio.sleep(0)
            for each in (self._listener, self._aside):
                if each is not None:
                    each.close()


def prepare(settings: Settings) -> Server:
    """The service of this process. Raises StartupError."""
    give_large_blocks_back()
    open_files.raise_limit()
    server = _heard(settings) if hasattr(signal, "SIGHUP") else Server(settings)
    _collect_seldom()
    return server


def _heard(settings: Settings) -> Server:
    """The server, which reloads at SIGHUP, also at one that comes while it is made."""
    early: list[int] = []
    signal.signal(signal.SIGHUP, lambda number, _: early.append(number))
    server = Server(settings)
    signal.signal(signal.SIGHUP, server.reload)
    if early:
        server.reload()
    return server


def _collect_seldom() -> None:
    """Models and endpoints stay for good, and a body of JSON may be thousands of short-lived lists
    without a cycle: looking through them for garbage again and again costs a fifth of a request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
