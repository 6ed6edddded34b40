"""What is known of the request or connection that code runs for, without passing it along."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from larnn_service.telemetry.metrics import Metrics

NO_DOOR = "none"
UNROUTED = ("/classify", "/stream")
"""Doors that are known before the router has looked, or without it."""


class Call:
    """An HTTP request, or a websocket from handshake to close."""

    __slots__ = ("_id", "_scope", "metrics", "model", "stream", "version")

    def __init__(
        self, metrics: Metrics, scope: Mapping[str, Any], request_id: str | None = None
    ) -> None:
        """`scope` is ASGI's, in which the router leaves the route that it takes."""
        self.metrics = metrics
        self._scope = scope
        self.model = ""
        self.version = 0
        self.stream = ""
        self._id = request_id

    @property
    def door(self) -> str:
        """The template of the route, never the path: that may hold a stream's id."""
        if (route := self._scope.get("route")) is not None:
            return str(route.path)
        path: str = self._scope["path"]
        return path if path in UNROUTED else NO_DOOR

    @property
    def id(self) -> str:
        """The caller's own X-Request-Id, or one that is made when somebody wants to know."""
        if self._id is None:
            self._id = secrets.token_hex(8)
        return self._id


CALL: ContextVar[Call | None] = ContextVar("call", default=None)


def concerns(model: str, version: int, stream: str = "") -> None:
    """The call is about this version, and this stream."""
    if (call := CALL.get()) is not None:
        call.model, call.version, call.stream = model, version, stream


def failed(code: str) -> None:
    """The caller is told this error."""
    if (call := CALL.get()) is not None:
        call.metrics.errors.labels(call.door, code).inc()
