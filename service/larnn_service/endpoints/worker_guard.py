"""Endpoints that speak of one process, where several share a port."""

from __future__ import annotations

from fastapi import Request

from larnn_service.errors import Conflict
from larnn_service.settings import Settings


class OneWorker:
    """A dependency of such endpoints. Raises Conflict where the request's port leads to any of
    several processes."""

    def __init__(self, settings: Settings) -> None:
        self._workers, self._shared = settings.workers, settings.port
        own = settings.worker_port
        self._ask = (
            "set LARNN_WORKER_PORT, and ask each at its own port"
            if own is None
            else f"ask each at its own port, from {own} on"
        )

    def __call__(self, request: Request) -> None:
        if self._workers > 1 and request.scope["server"][1] == self._shared:
            raise Conflict(f"any of {self._workers} processes may answer here; {self._ask}")
