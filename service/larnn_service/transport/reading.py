"""Reading from a transport, paused and resumed by a connection."""

from __future__ import annotations

import asyncio


class Reading:
    """Asks the transport only where something changes, and nothing of one that is closing."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.paused = False

    def pause(self) -> None:
        """Read nothing until `resume`."""
        if not self.paused and not self._transport.is_closing():
            self.paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self.paused and not self._transport.is_closing():
            self.paused = False
            self._transport.resume_reading()
