"""A websocket as the session on it sees it, whatever transport carries it."""

from __future__ import annotations

from typing import Protocol


class Channel(Protocol):
    """A websocket as a session sees it."""

    def send(self, message: bytes, is_text: bool = True) -> None:
        """Send a message: text is UTF-8."""
        ...

    def close(self, code: int) -> None:
        """Close behind what was sent."""
        ...

    def receive_next(self) -> None:
        """Hand over the next message, by `Session.receive`, when there is one."""
        ...
