"""What is known of the request or connection that code runs for, without passing it along."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from larnn_service.telemetry.metrics import Metrics

NO_ROUTE = "none"


class Call:
    """An HTTP request, a gRPC call, or a websocket from handshake to close."""

    __slots__ = ("_id", "_route", "_scope", "metrics", "model", "stream", "version")

    def __init__(
        self,
        metrics: Metrics,
        route: str = "",
        request_id: str | None = None,
        scope: Mapping[str, Any] | None = None,
    ) -> None:
        """`route` is the path's template; without it, it is the one that the framework's router
        leaves in `scope`. `request_id` is the caller's own name for the request."""
        self.metrics = metrics
        self.model = ""
        self.version = 0
        self.stream = ""
        self._route, self._scope, self._id = route, scope, request_id

    @property
    def door(self) -> str:
        """The template of the route, never the path: that may hold a stream's id."""
        if self._route or self._scope is None:
            return self._route
        route = self._scope.get("route")
        return NO_ROUTE if route is None else str(route.path)

    @property
    def id(self) -> str:
        """The caller's own X-Request-Id, or one that is made when somebody wants to know."""
        if self._id is None:
            self._id = secrets.token_hex(8)
        return self._id

    def concerns(self, model: str, version: int, stream: str = "") -> None:
        """The call is about this version, and this stream."""
        self.model, self.version, self.stream = model, version, stream

    def answered(self, status: str, seconds: float) -> None:
        """It is answered with this status, of HTTP or gRPC, and took so long."""
        observer, version = self.metrics.observer, str(self.version or "")
        observer(self.metrics.requests, self.door, self.model, version, status).observe(seconds)

    def failed(self, code: str) -> None:
        """The caller is told this error."""
        self.metrics.errors.labels(self.door, code).inc()


CALL: ContextVar[Call | None] = ContextVar("call", default=None)


def concerns(model: str, version: int, stream: str = "") -> None:
    """The call that goes on is about this version, and this stream."""
    if (call := CALL.get()) is not None:
        call.concerns(model, version, stream)


def failed(code: str) -> None:
    """The caller is told this error."""
    if (call := CALL.get()) is not None:
        call.failed(code)
