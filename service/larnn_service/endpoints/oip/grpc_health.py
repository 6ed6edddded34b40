"""grpc.health.v1 on the gRPC port: what probes, balancers and clients ask without a key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from grpc_health.v1 import health_pb2

from larnn_service.endpoints.oip.grpc_status import Context
from larnn_service.engine.engine import Engine

SERVICE: str = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
LOOK = 1.0
"""Seconds between two looks for whoever watches."""
MOST_WATCHING = 1_000
_STATUS = health_pb2.HealthCheckResponse


class Health:
    """The whole server's name is empty; the protocol's service has the same answer."""

    def __init__(self, engine: Engine, services: set[str]) -> None:
        """`services`: names that may be asked for."""
        self._engine, self._services = engine, {"", *services}
        self._closing = asyncio.Event()
        self._watching = 0

    def close(self) -> None:
        """Nobody watches any more."""
        self._closing.set()

    async def Check(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Whether it is able now. A name that nobody serves is NOT_FOUND."""
        if request.service not in self._services:
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such service")
        await self._engine.streams.store.health.check()
        return _STATUS(status=self._now(request.service))

    async def Watch(self, request: Any, context: Context) -> AsyncIterator[Any]:  # noqa: N802
        """The same, and each change of it."""
        if self._watching >= MOST_WATCHING:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many watch; use Check")
        self._watching += 1
        try:
            told = None
            while True:
                if (now := self._now(request.service)) != told:
                    told = now
                    yield _STATUS(status=now)
                if await self._is_closing():
                    return
        finally:
            self._watching -= 1

    def _now(self, service: str) -> int:
        if service not in self._services:
            return int(_STATUS.SERVICE_UNKNOWN)
        return int(_STATUS.SERVING if self._engine.ready else _STATUS.NOT_SERVING)

    async def _is_closing(self) -> bool:
        """Whether it is, when the next look is due."""
        try:
            async with asyncio.timeout(LOOK):
                return await self._closing.wait()
        except TimeoutError:
            return False
