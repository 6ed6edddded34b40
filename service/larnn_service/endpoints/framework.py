"""Around the framework's routes: the gate before them, their errors, metrics and request ids."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from larnn_service.admission.gate import Gate
from larnn_service.admission.origins import PREFLIGHT
from larnn_service.endpoints.exchange import CLIENT_GONE, REQUEST_ID, Pipeline, request_id
from larnn_service.errors import BadMessage, Internal, ServiceError
from larnn_service.telemetry.calls import CALL, Call, failed
from larnn_service.wire import http
from larnn_service.wire.error_responses import no_such_door, response_of
from larnn_service.wire.http import Head, head_of
from larnn_service.wire.measured import check_unsaid

logger = logging.getLogger(__name__)


Admit = Callable[[Head], str]
"""From a request's head to its caller's name. Raises ServiceError."""


def surround(app: FastAPI, pipeline: Pipeline, admit: Admit | None = None) -> None:
    """Put every route of the framework behind the gate, and measure and answer what it raises.

    `admit`: the gate's for all endpoints, or for those that the application has alone.
    """
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_parameter)
    app.add_exception_handler(ClientDisconnect, _client_gone)
    app.add_middleware(Heads)
    app.add_middleware(Admission, gate=pipeline.gate, admit=admit or pipeline.gate.admit)
    app.add_middleware(Measured, pipeline=pipeline)


async def warm(app: FastAPI) -> None:
    """What the framework makes when it is first asked is made now, while nobody waits: its routes
    and what it has threads by."""
    await run_in_threadpool(int)
    for route in app.routes:
        route.matches({"type": "http", "method": "GET", "path": "", "root_path": "", "headers": []})


def own_key(request: Request, idempotency_key: str | None) -> str | None:
    """An Idempotency-Key is the owner's: another's same key is another."""
    return None if idempotency_key is None else f"{request.state.owner}/{idempotency_key}"


class Heads:
    """ASGI middleware: HEAD is GET without the body (RFC 9110, 9.3.2), which the server leaves out.

    Load balancers ask so whether the service is able.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)


class Admission:
    """ASGI middleware: asks the gate, and tells browsers which pages may read the response.

    Leaves the caller's name in `state.owner`, and in `state.held` what is counted of the body.
    """

    def __init__(self, app: ASGIApp, gate: Gate, admit: Admit) -> None:
        self._app, self._gate, self._admit = app, gate, admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        head = head_of(scope)
        readable = self._gate.origins.response_headers(head)

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *readable]
            await send(message)

        try:
            owner, is_preflight = self._admit(head), self._gate.origins.is_preflight(head)
            if not is_preflight:
                check_unsaid(head.query, "say it in the body that opens a stream")
        except ServiceError as error:
            failed(error.code)
            return await starlette(response_of(error, scope["path"]))(scope, receive, told)
        if is_preflight:
            return await starlette(http.Response(b"", 204, PREFLIGHT))(scope, receive, told)
        state = scope.setdefault("state", {})
        with self._gate.at_work(owner) as held:
            state["owner"], state["held"] = owner, held
            await self._app(scope, receive, told)


class Measured:
    """ASGI middleware, the outermost: a Call for each request, and its route, status and time."""

    def __init__(self, app: ASGIApp, pipeline: Pipeline) -> None:
        self._app, self._metrics = app, pipeline.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        given = request_id(head_of(scope).headers)
        call = Call(self._metrics, request_id=given, scope=scope)
        CALL.set(call)
        start, started, status = time.perf_counter(), False, 500

        async def noted(message: Message) -> None:
            nonlocal started, status
            if message["type"] == "http.response.start":
                started, status = True, message["status"]
                if given is not None or status >= 400:
                    id = (REQUEST_ID.encode(), call.id.encode())
                    message["headers"] = [*message["headers"], id]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:
            if started:  # the rest of the response cannot be told
                raise
            logger.error("%s %s failed", scope["method"], call.door, exc_info=error)
            failed(Internal.code)
            response = starlette(response_of(Internal(), scope["path"]))
            await response(scope, receive, noted)
        finally:
            seconds = time.perf_counter() - start
            call.answered(str(status), seconds)
            logger.debug("%s %s %d in %.4f s", scope["method"], call.door, status, seconds)


def json_response(
    body: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A response with this body as JSON."""
    return Response(msgspec.json.encode(body), status, headers, media_type="application/json")


def starlette(response: http.Response) -> Response:
    """A response as the framework sends it."""
    made = Response(response.body, response.status)
    for name, value in response.headers:
        made.headers[name.decode()] = value.decode()
    return made


async def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    failed(error.code)
    return starlette(response_of(error, request.scope["path"]))


async def _client_gone(request: Request, error: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = tuple((k.lower().encode(), v.encode()) for k, v in (error.headers or {}).items())
    path = request.scope["path"]  # the request's address would have its Host in it
    return starlette(no_such_door(request.method, path, error.status_code, headers))


async def _invalid_parameter(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = " ".join(str(part) for part in first["loc"])
    return await _service_error(request, BadMessage(f"{place}: {first['msg']}"))
