"""Reading the body of a request that the framework routes, within its limit."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from larnn_service.admission.byte_budget import Held
from larnn_service.errors import TooLarge
from larnn_service.wire.content_encoding import decoded, is_encoded
from larnn_service.wire.http import head_of

SMALL = 2**16
"""Bytes of a body that names a few things and holds no numbers."""
LARGEST_OPENING = 2**17
"""Bytes of one that opens a stream, with its context."""


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body, decompressed. Raises BadMessage, TooLarge and Full, before reading where
    Content-Length says enough.

    Its bytes are counted until the request is answered.
    """
    held: Held = request.state.held
    head = head_of(request.scope)
    if (announced := head.content_length) > limit:
        raise _too_large(limit)
    held.check(announced)
    body = bytearray()
    async for part in request.stream():
        if len(body) + len(part) > limit:
            raise _too_large(limit)
        held.set(len(body) + len(part))
        body += part
    if not is_encoded(head):
        return bytes(body)
    plain = await asyncio.to_thread(decoded, head, body, limit)
    held.set(len(plain))
    return bytes(plain)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit} bytes; send less at once")
