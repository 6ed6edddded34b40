"""What a websocket client may offer at its handshake: how it sends chunks, and its key."""

from __future__ import annotations

from starlette.requests import HTTPConnection

BINARY = "larnn.f32.v1"
JSON = "larnn.json.v1"
_KEY = "larnn.key."


def chosen(connection: HTTPConnection) -> str | None:
    """The subprotocol to answer with; never the one that holds a key."""
    offered = connection.scope["subprotocols"]
    return next((name for name in (BINARY, JSON) if name in offered), None)


def key(connection: HTTPConnection) -> str | None:
    """The key that a browser offers as larnn.key.KEY, since it can set no header."""
    offered = connection.scope.get("subprotocols", [])
    return next((name.removeprefix(_KEY) for name in offered if name.startswith(_KEY)), None)
