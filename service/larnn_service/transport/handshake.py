"""The handshake of TLS: within a time, and counted among the connections that may be open."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import cast

from larnn_service.transport.http_connection import HttpConnection
from larnn_service.transport.hub import SILENT, Hub


class _Shaking:
    """Stands for a connection's transport until there is one."""

    def __init__(self, task: asyncio.Task[None] | None) -> None:
        self._task = task

    def abort(self) -> None:
        if self._task is not None:
            self._task.cancel()

    close = abort


async def shake_hands(hub: Hub, accepted: socket.socket, context: ssl.SSLContext) -> None:
    """Serve a connection that was accepted, once it speaks TLS; let go one that does not."""
    connection, loop = HttpConnection(hub), asyncio.get_running_loop()
    connection.transport = cast(asyncio.Transport, _Shaking(asyncio.current_task()))
    if hub.admit(connection) is None:
        return accepted.close()
    hub.silent.add(connection, loop.time())
    try:
        await loop.connect_accepted_socket(
            lambda: connection, accepted, ssl=context, ssl_handshake_timeout=SILENT
        )
    except (OSError, asyncio.CancelledError):  # it spoke otherwise, or for too long, or made room
        hub.remove(connection)
