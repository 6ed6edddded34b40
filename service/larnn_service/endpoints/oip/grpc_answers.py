"""Answers on their way to a gRPC client: each is read in time, or its connection ends."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import grpc

from larnn_service.deadlines import Deadlines
from larnn_service.endpoints.oip.grpc_hangup import HangUp
from larnn_service.endpoints.oip.grpc_status import Context
from larnn_service.settings import Settings


@dataclass(eq=False)
class _Unread:
    """An answer that is written, and whose it is."""

    peer: str
    handler: asyncio.Task[Any]


class Answers:
    """Those that are written, and not read yet.

    An answer goes when the client has room for it, and no call of gRPC breaks it off: neither an
    error nor the end of its handler. So it is the connection that ends.
    """

    def __init__(self, settings: Settings) -> None:
        self._hang_up = HangUp()
        self._unread: Deadlines[_Unread] = Deadlines(settings.send_timeout, self._late)

    async def write(self, context: Context, answer: bytes) -> None:
        """One answer of a call. Who does not read it, or has gone, has its handler cancelled."""
        handler = asyncio.current_task()
        assert handler is not None
        unread = _Unread(context.peer(), handler)
        self._unread.add(unread, asyncio.get_running_loop().time())
        try:
            await context.write(answer)
        except grpc.aio.BaseError:
            raise asyncio.CancelledError from None
        finally:
            self._unread.remove(unread)

    def _late(self, unread: _Unread) -> None:
        unread.handler.cancel()
        self._hang_up(unread.peer)
