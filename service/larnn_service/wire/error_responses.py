"""How an error reaches a client: from its code to HTTP status, close code and gRPC status."""

from __future__ import annotations

import http
from typing import NamedTuple

import msgspec

from larnn_service.errors import ServiceError, quoted
from larnn_service.wire.http import JSON, Headers, Response


class Failure(NamedTuple):
    """The status of an HTTP response, the close code of a websocket, the name of gRPC's status."""

    status: int
    close: int
    grpc: str


FAILURES = {
    "bad_json": Failure(422, 4422, "INVALID_ARGUMENT"),
    "bad_message": Failure(422, 4422, "INVALID_ARGUMENT"),
    "bad_shape": Failure(422, 4422, "INVALID_ARGUMENT"),
    "bad_value": Failure(422, 4422, "INVALID_ARGUMENT"),
    "empty_chunk": Failure(422, 4422, "INVALID_ARGUMENT"),
    "bad_model": Failure(422, 4422, "INVALID_ARGUMENT"),
    "too_large": Failure(413, 1009, "OUT_OF_RANGE"),
    "too_slow": Failure(408, 4408, "DEADLINE_EXCEEDED"),
    "unknown_model": Failure(404, 4404, "NOT_FOUND"),
    "unknown": Failure(404, 4404, "NOT_FOUND"),
    "expired": Failure(410, 4410, "NOT_FOUND"),
    "gap": Failure(409, 4409, "FAILED_PRECONDITION"),
    "conflict": Failure(409, 4409, "ALREADY_EXISTS"),
    "moved": Failure(409, 4411, "ABORTED"),
    "unauthorized": Failure(401, 4401, "UNAUTHENTICATED"),
    "forbidden": Failure(403, 4403, "PERMISSION_DENIED"),
    "full": Failure(503, 4503, "UNAVAILABLE"),
    "unavailable": Failure(503, 4503, "UNAVAILABLE"),
    "backpressure": Failure(429, 4429, "RESOURCE_EXHAUSTED"),
    "draining": Failure(503, 1012, "UNAVAILABLE"),
    "internal": Failure(500, 1011, "INTERNAL"),
}
RETRY_AFTER = {"full": 1, "unavailable": 1, "backpressure": 1, "draining": 1}
OIP = "/v2"
"""Where the Open Inference Protocol has its endpoints: its clients read errors of another shape."""
PROBLEM_JSON: Headers = ((b"content-type", b"application/problem+json"),)


def response_of(error: ServiceError, path: str) -> Response:
    """The error as the endpoints at this path tell it: problem+json (RFC 9457), or /v2's shape."""
    extra = dict(error.extra)
    retry_after = extra.pop("retry_after", RETRY_AFTER.get(error.code))
    headers: Headers = ()
    if retry_after is not None:
        headers += ((b"retry-after", str(retry_after).encode()),)
    if error.code == "unauthorized":
        headers += ((b"www-authenticate", b"Bearer"),)
    status = FAILURES[error.code].status
    return problem(status, error.code, error.detail, path, headers, extra)


def problem(
    status: int,
    code: str,
    detail: str,
    path: str,
    headers: Headers = (),
    extra: dict[str, int | str] | None = None,
) -> Response:
    """A response that says what is wrong, in the shape of the endpoints at this path."""
    more = extra or {}
    if path == OIP or path.startswith(f"{OIP}/"):
        body = msgspec.json.encode({"error": detail, "code": code, **more})
        return Response(body, 400 if status == 422 else status, headers + JSON)
    told = {
        "type": "about:blank",
        "title": http.HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **more,
    }
    return Response(msgspec.json.encode(told), status, headers + PROBLEM_JSON)


def no_such_door(method: str, path: str, status: int, headers: Headers = ()) -> Response:
    """The response of `status` 404 or 405 to a request that no endpoint takes."""
    code = "method_not_allowed" if status == 405 else "not_found"
    title = http.HTTPStatus(status).phrase
    detail = f"{quoted(method)} {quoted(path)}: {title}; GET /docs lists the endpoints"
    return problem(status, code, detail, path, headers)


def message(error: ServiceError) -> bytes:
    """The error as a message of the websocket protocol."""
    extra = {name: value for name, value in error.extra.items() if name != "retry_after"}
    return msgspec.json.encode(
        {"type": "error", "code": error.code, "detail": error.detail, **extra}
    )
