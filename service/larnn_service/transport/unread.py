"""What is written to a client and not read: bounded, counted, and waited for while it reads on."""

from __future__ import annotations

import asyncio
import socket

from larnn_service.admission.byte_budget import FREE

SEND_BUFFER = 2**17
"""Bytes that the system keeps for one client; it would let them grow to megabytes."""
LEAST_READ = 10 * 2**10
"""Bytes that a client must read in each send timeout, while more than is free waits for it."""


class Unread:
    """Of one connection."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._seen = 0
        self.paused = False
        """More waits than a connection has free."""
        self._changed = asyncio.Event()
        own = transport.get_extra_info("socket")
        own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        transport.set_write_buffer_limits(high=FREE)

    @property
    def size(self) -> int:
        """Bytes that wait, where they are more than is free."""
        return self._transport.get_write_buffer_size() if self.paused else 0

    def pause(self) -> None:
        """The transport takes no more for now."""
        self.paused = True
        self._seen = self.size

    def resume(self) -> None:
        """It takes more, or is lost."""
        self.paused = False
        self._changed.set()

    async def drained(self) -> None:
        """Wait until it takes more, or is lost."""
        if self.paused:
            self._changed.clear()
            await self._changed.wait()

    def goes_on(self) -> bool:
        """Whether the client has read enough since this was asked, or since writing was paused."""
        before, self._seen = self._seen, self.size
        return before - self._seen >= LEAST_READ
