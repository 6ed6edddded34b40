"""A second port of the same process, in the same event loop: that of the metrics."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from functools import partial

from larnn_service.process.sockets import BACKLOG, listen
from larnn_service.transport.http_connection import HttpConnection
from larnn_service.transport.hub import Hub

logger = logging.getLogger(__name__)


CONNECTIONS = 64
"""Open at once: a few scrapers and probes come here, and nobody with work."""


class Aside:
    """A port with an application of its own."""

    def __init__(self, hub: Hub, own: socket.socket) -> None:
        """`own` is bound, and does not listen yet."""
        self._hub, self._socket = hub, own
        self._server: asyncio.Server | None = None

    async def open(self, context: ssl.SSLContext | None) -> None:
        """Listen. Raises StartupError."""
        listen([self._socket])
        self._server = await asyncio.get_running_loop().create_server(
            partial(HttpConnection, self._hub), sock=self._socket, ssl=context, backlog=BACKLOG
        )
        logger.info("metrics on %s:%d", *self._socket.getsockname()[:2])

    def close(self) -> None:
        """Listen no more, and close what is open."""
        if self._server is not None:
            self._server.close()
        self._hub.abort()
