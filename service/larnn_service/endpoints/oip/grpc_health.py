"""grpc.health.v1 on the gRPC port: what probes, balancers and clients ask without a key."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import grpc
from grpc_health.v1 import health_pb2

from larnn_service.endpoints.oip.grpc_answers import Answers
from larnn_service.endpoints.oip.grpc_arrival import Arrival, handler, host_of
from larnn_service.endpoints.oip.grpc_status import Context, refusing
from larnn_service.engine.engine import Engine

SERVICE = health_pb2.DESCRIPTOR.services_by_name["Health"]
LOOK = 1.0
"""Seconds between two looks for whoever watches."""
LONGEST = 3_600.0
"""Seconds for which anybody watches: who is still there calls again."""
MOST_WATCHING = 1_000
MOST_OF_A_HOST = 100
_STATUS = health_pb2.HealthCheckResponse


class Health:
    """The whole server's name is empty; the protocol's service has the same answer."""

    def __init__(
        self, engine: Engine, services: set[str], arrival: Arrival, answers: Answers
    ) -> None:
        """`services`: names that may be asked for."""
        self._engine, self._services = engine, {"", *services}
        self._arrival, self._answers = arrival, answers
        self._closing = asyncio.Event()
        self._watching: Counter[str] = Counter()

    def handlers(self) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
        """By the call's name."""
        return {"Check": handler(self._check), "Watch": handler(self._watch)}

    def close(self) -> None:
        """Nobody watches any more."""
        self._closing.set()

    async def _service(self, context: Context) -> str:
        """The name that is asked for."""
        asked = await self._arrival.open_message(context, health_pb2.HealthCheckRequest.DESCRIPTOR)
        return str(asked.service)

    async def _check(self, _: Any, context: Context) -> None:
        """Whether it is able now. A name that nobody serves is NOT_FOUND."""
        with refusing(context), self._arrival.open_call(context):
            if await self._service(context) not in self._services:
                context.set_code(grpc.StatusCode.NOT_FOUND)
                return context.set_details("no such service")
            await self._engine.streams.store.health.check()
            await self._answers.write(context, self._told(known=True))

    async def _watch(self, _: Any, context: Context) -> None:
        """The same, and each change of it."""
        host = host_of(context)
        if self._watching.total() >= MOST_WATCHING or self._watching[host] >= MOST_OF_A_HOST:
            context.set_code(grpc.StatusCode.RESOURCE_EXHAUSTED)
            return context.set_details("too many watch; use Check")
        self._watching[host] += 1
        try:
            with refusing(context), self._arrival.open_call(context):
                await self._tell_changes(context, await self._service(context) in self._services)
        finally:
            self._watching[host] -= 1
            if not self._watching[host]:
                del self._watching[host]

    async def _tell_changes(self, context: Context, known: bool) -> None:
        told, until = b"", asyncio.get_running_loop().time() + LONGEST
        while asyncio.get_running_loop().time() < until:
            if (now := self._told(known)) != told:
                told = now
                await self._answers.write(context, now)
            if await self._is_closing():
                return

    def _told(self, known: bool) -> bytes:
        status = _STATUS.SERVICE_UNKNOWN
        if known:
            status = _STATUS.SERVING if self._engine.ready else _STATUS.NOT_SERVING
        return bytes(_STATUS(status=status).SerializeToString())

    async def _is_closing(self) -> bool:
        """Whether it is, when the next look is due."""
        try:
            async with asyncio.timeout(LOOK):
                return await self._closing.wait()
        except TimeoutError:
            return False
