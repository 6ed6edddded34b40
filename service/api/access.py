"""Who may come in: keys, the pages that browsers come from, and whose stream it is."""

from __future__ import annotations

import re
from collections import Counter

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from service.api import failures, page, subprotocols
from service.engine.stream_ids import StreamIds
from service.errors import Forbidden, Full, ServiceError, StartupError, Unauthorized, UnknownStream
from service.keys import ApiKeys
from service.settings import Settings

OPEN = ("/healthz", "/readyz", "/docs", "/openapi.json")
"""Doors without a key: they say nothing of anyone."""

_BEARER = re.compile(r"bearer +(?P<key>\S+)", re.IGNORECASE)
_ORIGIN = re.compile(r"\*|https?://[^/,\s]+")


def guard(app: FastAPI, settings: Settings, ids: StreamIds) -> None:
    """Put every door behind the settings' keys and origins. Raises StartupError."""
    keys, origins = ApiKeys(settings.api_keys), _origins(settings.allowed_origins)
    most = settings.max_at_work_per_key
    app.add_middleware(Access, keys=keys, origins=origins, ids=ids, most=most)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
            expose_headers=["Location", "Retry-After"],
        )


def own_key(connection: HTTPConnection, idempotency_key: str | None) -> str | None:
    """An Idempotency-Key is the owner's: another's same key is another."""
    return None if idempotency_key is None else f"{connection.state.owner}/{idempotency_key}"


def _origins(setting: str) -> list[str]:
    """`https://host[:port],…`, or `*`. Raises StartupError."""
    origins = [origin.strip() for origin in setting.split(",") if origin.strip()]
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise StartupError(
                f"LARNN_ALLOWED_ORIGINS: {origin!r} is no origin; write https://host or "
                "https://host:port, or * for any"
            )
    return origins


class Access:
    """ASGI middleware: every door is behind it. Leaves the caller's name in `state.owner`."""

    def __init__(
        self, app: ASGIApp, keys: ApiKeys, origins: list[str], ids: StreamIds, most: int
    ) -> None:
        """`most` requests and websockets of one key at a time."""
        self._app = app
        self._keys = keys
        self._origins = origins
        self._ids = ids
        self._most = most
        self._at_work: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        connection = HTTPConnection(scope)
        try:
            connection.state.owner = self._admit(connection)
        except ServiceError as error:
            if scope["type"] == "http":
                return await failures.problem(error)(scope, receive, send)
            return await _refuse(WebSocket(scope, receive, send), error)
        owner = connection.state.owner
        self._at_work[owner] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._at_work[owner] -= 1

    def _admit(self, connection: HTTPConnection) -> str:
        """The caller's name, empty where no keys are set. Raises the reason why not."""
        path = connection.scope["path"]
        if path in OPEN or page.is_open(path):
            return ""
        self._check_origin(connection)
        owner = self._owner(connection)
        stream = _stream_asked_for(connection)
        if stream is not None and not self._ids.belongs_to(stream, owner):
            raise UnknownStream()
        if owner and self._at_work[owner] >= self._most:
            raise Full(f"this key has {self._most} requests and websockets at work, its limit")
        return owner

    def _check_origin(self, connection: HTTPConnection) -> None:
        """Browsers name the page that asks. Pages of this service itself may, others if set."""
        origin = connection.headers.get("origin")
        if origin is None or "*" in self._origins or origin in self._origins:
            return
        if origin.partition("://")[2] != connection.headers.get("host"):
            raise Forbidden(
                "pages of this origin may not use the service; add it to LARNN_ALLOWED_ORIGINS"
            )

    def _owner(self, connection: HTTPConnection) -> str:
        if not self._keys:
            return ""
        match = _BEARER.fullmatch(connection.headers.get("authorization", ""))
        key = match["key"] if match else subprotocols.key(connection)
        if key is None:
            raise Unauthorized("send a key of this service as `Authorization: Bearer KEY`")
        owner = self._keys.owner(key)
        if owner is None:
            raise Unauthorized("this is no key of this service; ask its operator for one")
        return owner


def _stream_asked_for(connection: HTTPConnection) -> str | None:
    """The id in /streams/ID/… or /stream?stream=ID."""
    path: str = connection.scope["path"]  # that of `url` is made of the Host header too
    first, *rest = path.removeprefix("/").split("/")
    if first == "streams" and rest:
        return rest[0]
    return connection.query_params.get("stream") if first == "stream" else None


async def _refuse(websocket: WebSocket, error: ServiceError) -> None:
    """A browser is told nothing of a refused handshake: accept it, say why, close."""
    try:
        await websocket.accept(subprotocol=subprotocols.chosen(websocket))
        await websocket.send_text(failures.message(error).decode())
        await websocket.close(failures.FAILURES[error.code].close)
    except WebSocketDisconnect:
        pass
