"""Reading the body of a request that the framework routes, within its limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from starlette.requests import Request

from larnn_service.admission.byte_budget import Held
from larnn_service.wire.content_encoding import PIECE, body_too_large, is_encoded, pieces
from larnn_service.wire.http import Head, head_of

Aside = Callable[[Callable[[], Any]], Awaitable[Any]]
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
        raise body_too_large(limit)
    held.check(announced)
    body = bytearray()
    async for part in request.stream():
        if len(body) + len(part) > limit:
            raise body_too_large(limit)
        held.set(len(body) + len(part))
        body += part
    if not is_encoded(head):
        return bytes(body)
    return bytes(await decompressed(head, body, limit, held, asyncio.to_thread))


async def decompressed(
    head: Head, body: bytearray, limit: int, held: Held, aside: Aside
) -> bytearray:
    """The body as it was before it was compressed, which each piece makes room for before it is
    there; `aside` makes one in a thread. Raises BadMessage, TooLarge, Full."""
    plain, more = bytearray(), pieces(head, body, limit)
    piece: bytes | None = b""
    while piece is not None:
        plain += piece
        held.set(len(body) + len(plain) + min(PIECE, limit - len(plain)))
        piece = await aside(partial(next, more, None))
    held.set(len(plain))
    return plain
