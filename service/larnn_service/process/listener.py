"""A port, and the connections that come to it."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from functools import partial

from larnn_service.process.sockets import BACKLOG, listen
from larnn_service.tasks import Tasks
from larnn_service.transport.handshake import shake_hands
from larnn_service.transport.http_connection import HttpConnection
from larnn_service.transport.hub import Hub

logger = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds without another connection after one found no open file."""


class Listener:
    """Of one hub, at one address or several."""

    def __init__(
        self, hub: Hub, sockets: list[socket.socket], tls: ssl.SSLContext | None = None
    ) -> None:
        """The sockets are bound; `tls` has the certificate of those that speak TLS."""
        self._hub, self._sockets, self._tls = hub, sockets, tls
        self._servers: list[asyncio.Server] = []
        self._tasks = Tasks()

    @property
    def address(self) -> str:
        """The first one, as a URL."""
        host, port = self._sockets[0].getsockname()[:2]
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    async def open(self) -> None:
        """Listen. Raises StartupError."""
        listen(self._sockets)
        made, loop = partial(HttpConnection, self._hub), asyncio.get_running_loop()
        for own in self._sockets:
            if self._tls is None:
                server = await loop.create_server(made, sock=own, backlog=BACKLOG)
                self._servers.append(server)
            else:  # a library's server counts a connection only when its handshake is over
                own.setblocking(False)
                self._tasks.start(self._accept(own, self._tls))

    def close(self) -> None:
        """Listen no more, and close what is open."""
        for server in self._servers:
            server.close()
        self._tasks.cancel()
        for own in self._sockets:
            own.close()
        self._hub.abort()

    async def _accept(self, own: socket.socket, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(own)
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    logger.error("no connection can be taken: %s", error)
                    await asyncio.sleep(PAUSE)
                continue
            self._tasks.start(shake_hands(self._hub, accepted, context))
