"""Reading the body of a request that the framework routes, within its limit."""

from __future__ import annotations

from starlette.requests import Request

from larnn_service.admission.byte_budget import Held
from larnn_service.errors import TooLarge


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
