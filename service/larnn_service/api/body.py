"""Reading a body within its limit, and noticing that its sender has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from larnn_service.admission.byte_budget import Held
from larnn_service.errors import TooLarge

T = TypeVar("T")
PATIENCE = 0.05
"""Seconds that work may take before anybody looks whether its client is still there."""


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body. Raises TooLarge and Full, before reading where Content-Length says enough.

    Its bytes are counted until the request is answered.
    """
    held: Held = request.state.held
    if (announced := int(request.headers.get("content-length", 0))) > limit:
        raise _too_large(limit)
    held.check(announced)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        held.set(size)
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit} bytes; send less at once")


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """The work's result; it is cancelled when the client disconnects. The body is read."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    watch = Watch(request, task)
    timer = loop.call_later(PATIENCE, watch.begin)
    try:
        return await work
    except asyncio.CancelledError:
        if not watch.gone:
            raise
        task.uncancel()
        raise ClientDisconnect from None
    finally:
        timer.cancel()
        watch.end()


class Watch:
    """Cancels a task when the client of a request disconnects."""

    def __init__(self, request: Request, task: asyncio.Task[object]) -> None:
        self._request, self._task = request, task
        self._watching: asyncio.Task[None] | None = None
        self.gone = False

    def begin(self) -> None:
        self._watching = asyncio.create_task(self._wait())

    def end(self) -> None:
        if self._watching is not None:
            self._watching.cancel()

    async def _wait(self) -> None:
        await self._request.receive()  # after the body, nothing comes but the disconnect
        self.gone = True
        self._task.cancel()
