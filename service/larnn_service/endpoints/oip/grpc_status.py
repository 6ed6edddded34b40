"""How an error reaches a gRPC client: its code's status, and the code itself behind the call."""

from __future__ import annotations

from typing import Any, NoReturn

import grpc

from larnn_service.errors import ServiceError

Context = grpc.aio.ServicerContext[Any, Any]
CODE_KEY = "larnn-code"
"""Trailing metadata: which of the errors that share a status it is."""
_CODE = grpc.StatusCode
STATUS = {
    "bad_json": _CODE.INVALID_ARGUMENT,
    "bad_message": _CODE.INVALID_ARGUMENT,
    "bad_shape": _CODE.INVALID_ARGUMENT,
    "bad_value": _CODE.INVALID_ARGUMENT,
    "empty_chunk": _CODE.INVALID_ARGUMENT,
    "bad_model": _CODE.INVALID_ARGUMENT,
    "too_large": _CODE.OUT_OF_RANGE,
    "unknown_model": _CODE.NOT_FOUND,
    "unknown": _CODE.NOT_FOUND,
    "expired": _CODE.NOT_FOUND,
    "gap": _CODE.FAILED_PRECONDITION,
    "conflict": _CODE.ALREADY_EXISTS,
    "moved": _CODE.ABORTED,
    "unauthorized": _CODE.UNAUTHENTICATED,
    "forbidden": _CODE.PERMISSION_DENIED,
    "full": _CODE.UNAVAILABLE,
    "unavailable": _CODE.UNAVAILABLE,
    "backpressure": _CODE.RESOURCE_EXHAUSTED,
    "draining": _CODE.UNAVAILABLE,
    "internal": _CODE.INTERNAL,
}


async def refuse(context: Context, error: ServiceError) -> NoReturn:
    """End the call with the error."""
    context.set_trailing_metadata(((CODE_KEY, error.code),))
    await context.abort(STATUS[error.code], error.detail)
