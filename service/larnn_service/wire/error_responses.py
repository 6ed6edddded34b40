"""How an error reaches a client: one table from code to HTTP status and websocket close code."""

from __future__ import annotations

import http
import logging
from dataclasses import dataclass

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from larnn_service.errors import BadMessage, Internal, ServiceError
from larnn_service.telemetry.calls import failed

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Failure:
    """The status of an HTTP answer and, where it ends a websocket, the close code."""

    status: int
    close: int


FAILURES = {
    "bad_json": Failure(422, 4422),
    "bad_message": Failure(422, 4422),
    "bad_shape": Failure(422, 4422),
    "bad_value": Failure(422, 4422),
    "empty_chunk": Failure(422, 4422),
    "bad_model": Failure(422, 4422),
    "too_large": Failure(413, 1009),
    "unknown_model": Failure(404, 4404),
    "unknown": Failure(404, 4404),
    "expired": Failure(410, 4410),
    "gap": Failure(409, 4409),
    "conflict": Failure(409, 4409),
    "moved": Failure(409, 4411),
    "unauthorized": Failure(401, 4401),
    "forbidden": Failure(403, 4403),
    "full": Failure(503, 4503),
    "unavailable": Failure(503, 4503),
    "backpressure": Failure(429, 4429),
    "draining": Failure(503, 1012),
    "internal": Failure(500, 1011),
}
RETRY_AFTER = {"full": 1, "unavailable": 1, "backpressure": 1, "draining": 1}
OIP = "/v2"
"""Where the Open Inference Protocol has its doors: its clients read errors of another shape."""
PROBLEM_JSON = "application/problem+json"


def problem(error: ServiceError, path: str) -> Response:
    """The error as the doors at this path tell it: problem+json (RFC 9457), or /v2's own shape."""
    failed(error.code)
    headers = {}
    extra = dict(error.extra)
    retry_after = extra.pop("retry_after", RETRY_AFTER.get(error.code))
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if error.code == "unauthorized":
        headers["WWW-Authenticate"] = "Bearer"
    return _problem(FAILURES[error.code].status, error.code, error.detail, headers, extra, path)


def message(error: ServiceError) -> bytes:
    """The error as a message of the websocket protocol."""
    failed(error.code)
    extra = {name: value for name, value in error.extra.items() if name != "retry_after"}
    return msgspec.json.encode(
        {"type": "error", "code": error.code, "detail": error.detail, **extra}
    )


def add_handlers(app: FastAPI) -> None:
    """Answer every error, the framework's own too, in the one shape."""
    app.add_exception_handler(ServiceError, _door_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_parameter)
    app.add_exception_handler(ClientDisconnect, _door_error)


def answer(error: Exception, path: str, door: str) -> Response:
    """What the error of a door at this path becomes; one that nobody foresaw goes into the log
    alone."""
    if isinstance(error, ServiceError):
        return problem(error, path)
    if isinstance(error, ClientDisconnect):
        return Response(status_code=499)  # for the log alone: nobody reads it
    logger.error("%s failed", door, exc_info=error)
    return problem(Internal(), path)


async def _door_error(request: Request, error: Exception) -> Response:
    door = getattr(request.scope.get("route"), "path", "a door")  # the path may name a stream
    return answer(error, request.scope["path"], f"{request.method} {door}")


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    codes = {404: "not_found", 405: "method_not_allowed"}
    detail = f"{request.method} {request.url.path}: {error.detail}; GET /docs lists the doors"
    code = codes.get(error.status_code, "http_error")
    path = request.scope["path"]
    return _problem(error.status_code, code, detail, dict(error.headers or {}), {}, path)


async def _invalid_parameter(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = " ".join(str(part) for part in first["loc"])
    return problem(BadMessage(f"{place}: {first['msg']}"), request.scope["path"])


def _problem(
    status: int,
    code: str,
    detail: str,
    headers: dict[str, str],
    extra: dict[str, int | str],
    path: str,
) -> Response:
    if path == OIP or path.startswith(f"{OIP}/"):
        told = msgspec.json.encode({"error": detail, "code": code, **extra})
        status = 400 if status == 422 else status
        return Response(told, status, headers, media_type="application/json")
    body = {
        "type": "about:blank",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **extra,
    }
    return Response(msgspec.json.encode(body), status, headers, media_type=PROBLEM_JSON)
