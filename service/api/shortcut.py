"""The busiest door without the framework's routing, which costs as much as a small network."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api import failures

Door = Callable[[Request], Awaitable[Response]]


class Shortcut:
    """POST to `path` goes straight to the door, everything else to the application.

    The application has the same door, for its OpenAPI document.
    """

    def __init__(self, app: ASGIApp, path: str, door: Door) -> None:
        self._app, self._path, self._door = app, path, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["path"], scope["method"]) != (self._path, "POST"):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await self._door(request)
        except Exception as error:  # as the application answers it
            response = failures.answer(request, error)
        await response(scope, receive, send)
