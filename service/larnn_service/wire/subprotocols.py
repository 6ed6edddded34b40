"""What a websocket client may offer at its handshake: how chunks and answers go, and its key."""

from __future__ import annotations

from collections.abc import Sequence

ALL_BINARY = "larnn.f32.v2"
"""Chunks and answers are binary frames."""
BINARY = "larnn.f32.v1"
"""Chunks are binary frames, answers JSON."""
JSON = "larnn.json.v1"
_KEY = "larnn.key."


def offered(header: str) -> list[str]:
    """The names in a Sec-WebSocket-Protocol header."""
    return [name.strip() for name in header.split(",")]


def chosen(names: Sequence[str]) -> str | None:
    """The subprotocol to answer with; never the one that holds a key."""
    return next((name for name in (ALL_BINARY, BINARY, JSON) if name in names), None)


def key(names: Sequence[str]) -> str | None:
    """The key that a browser offers as larnn.key.KEY, since it can set no header."""
    return next((name.removeprefix(_KEY) for name in names if name.startswith(_KEY)), None)
