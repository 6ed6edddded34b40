"""How an error reaches a gRPC client: its code's status, and the code itself behind the call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import grpc

from larnn_service.errors import ServiceError
from larnn_service.wire.error_responses import FAILURES

Context = grpc.aio.ServicerContext[Any, Any]
CODE_KEY = "larnn-code"
"""Trailing metadata: which of the errors that share a status it is."""
STATUS = {code: grpc.StatusCode[failure.grpc] for code, failure in FAILURES.items()}


async def refuse(context: Context, error: ServiceError) -> NoReturn:
    """End the call with the error."""
    context.set_trailing_metadata(((CODE_KEY, error.code),))
    await context.abort(STATUS[error.code], error.detail)


@asynccontextmanager
async def refusing(context: Context) -> AsyncIterator[None]:
    """End the call with the error that is raised meanwhile."""
    try:
        yield
    except ServiceError as error:
        await refuse(context, error)


def when_done(context: Context, then: Callable[[], object]) -> None:
    """Call `then` when the call has ended: its answer is written, or its client has gone."""

    def done(_: Context) -> None:
        then()

    callback: Any = done  # which its stubs take for no callback
    context.add_done_callback(callback)
