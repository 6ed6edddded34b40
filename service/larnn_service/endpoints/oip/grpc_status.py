"""How an error reaches a gRPC client: its code's status, and the code itself behind the call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from larnn_service.errors import ServiceError
from larnn_service.wire.error_responses import FAILURES

Context = grpc.aio.ServicerContext[Any, Any]
CODE_KEY = "larnn-code"
"""Trailing metadata: which of the errors that share a status it is."""
STATUS = {code: grpc.StatusCode[failure.grpc] for code, failure in FAILURES.items()}


def refuse(context: Context, error: ServiceError) -> None:
    """Let the call end with the error, when its handler returns.

    `ServicerContext.abort` would raise an exception that holds what its frames hold, such as a
    large message, in a cycle: till garbage is collected.
    """
    context.set_trailing_metadata(((CODE_KEY, error.code),))
    context.set_code(STATUS[error.code])
    context.set_details(error.detail)


@contextmanager
def refusing(context: Context) -> Iterator[None]:
    """Let the call end with the error that is raised meanwhile."""
    try:
        yield
    except ServiceError as error:
        refuse(context, error)
