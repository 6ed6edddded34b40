"""Answers on their way to a gRPC client: each is read in time, or its connection ends."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import grpc

from larnn_service.deadlines import Deadlines
from larnn_service.endpoints.oip.grpc_hangup import HangUp
from larnn_service.endpoints.oip.grpc_status import Context
from larnn_service.settings import Settings

PATIENCE = 40
"""Times LARNN_SEND_TIMEOUT for an answer on a connection where others are read: it may be that of a
proxy, which ends the call of one client itself."""


@dataclass(eq=False)
class _Connection:
    """One that has unread answers."""

    peer: str
    read: float = -math.inf
    """When an answer was read last, by the loop's clock."""


@dataclass(eq=False)
class _Unread:
    """An answer that is written, and whose it is."""

    connection: _Connection
    handler: asyncio.Task[Any]
    left: int = PATIENCE


class Answers:
    """Those that are written, and not read yet.

    An answer goes when the client has room for it, and no call of gRPC breaks it off: neither an
    error nor the end of its handler. So it is the connection that ends.
    """

    def __init__(self, settings: Settings) -> None:
        self._hang_up, self._within = HangUp(), settings.send_timeout
        self._connections: WeakValueDictionary[str, _Connection] = WeakValueDictionary()
        self._unread: Deadlines[_Unread] = Deadlines(self._within, self._late)

    async def write(self, context: Context, answer: bytes) -> None:
        """One answer of a call. Who does not read it, or has gone, has its handler cancelled."""
        handler, peer = asyncio.current_task(), context.peer()
        assert handler is not None
        connection = self._connections.setdefault(peer, _Connection(peer))
        unread = _Unread(connection, handler)
        self._unread.add(unread, asyncio.get_running_loop().time())
        try:
            await context.write(answer)
            connection.read = asyncio.get_running_loop().time()
        except grpc.aio.BaseError:
            raise asyncio.CancelledError from None
        finally:
            self._unread.remove(unread)

    def _late(self, unread: _Unread) -> None:
        unread.left -= 1
        now = asyncio.get_running_loop().time()
        if unread.left and now - unread.connection.read < self._within:
            return self._unread.add(unread, now)
        unread.handler.cancel()
        self._hang_up(unread.connection.peer)
