"""Who may come in: keys, the pages that browsers come from, and whose stream it is."""

from __future__ import annotations

import re

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from larnn_service.admission.byte_budget import WaitingBytes
from larnn_service.admission.callers import Callers
from larnn_service.endpoints import live_page
from larnn_service.engine.streams.stream_ids import StreamIds
from larnn_service.errors import Forbidden, ServiceError, StartupError, UnknownStream
from larnn_service.settings import Settings
from larnn_service.wire import error_responses, subprotocols

OPEN = ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/docs", "/openapi.json")
"""Doors without a key: they say nothing of anyone."""

_ORIGIN = re.compile(r"\*|https?://[^/,\s]+")


def guard(
    app: FastAPI, settings: Settings, ids: StreamIds, callers: Callers, waiting: WaitingBytes
) -> None:
    """Put every door behind keys and the settings' origins. Raises StartupError."""
    origins = _origins(settings.allowed_origins)
    app.add_middleware(Access, callers=callers, origins=origins, ids=ids, waiting=waiting)
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
    """ASGI middleware: every door is behind it. Leaves the caller's name in `state.owner`, and in
    `state.held` what is counted of its body."""

    def __init__(
        self,
        app: ASGIApp,
        callers: Callers,
        origins: list[str],
        ids: StreamIds,
        waiting: WaitingBytes,
    ) -> None:
        self._app = app
        self._callers = callers
        self._origins = origins
        self._ids = ids
        self._waiting = waiting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        connection = HTTPConnection(scope)
        try:
            connection.state.owner = self._admit(connection)
        except ServiceError as error:
            if scope["type"] == "http":
                return await error_responses.problem(error, scope["path"])(scope, receive, send)
            return await _refuse(WebSocket(scope, receive, send), error)
        at_work = self._callers.at_work(connection.state.owner)
        with at_work, self._waiting.held() as connection.state.held:
            await self._app(scope, receive, send)

    def _admit(self, connection: HTTPConnection) -> str:
        """The caller's name, empty where no keys are set. Raises the reason why not."""
        path = connection.scope["path"]
        if path in OPEN or live_page.is_open(path):
            return ""
        self._check_origin(connection)
        bearer = connection.headers.get("authorization", "")
        owner = self._callers.owner(bearer, subprotocols.key(connection))
        stream = _stream_asked_for(connection)
        if stream is not None and not self._ids.belongs_to(stream, owner):
            raise UnknownStream()
        self._callers.check_room(owner)
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
        await websocket.send_text(error_responses.message(error).decode())
        await websocket.close(error_responses.FAILURES[error.code].close)
    except WebSocketDisconnect:
        pass
