"""Compressed bodies (RFC 9110, 8.4): gzip and deflate, within the limit of their endpoint."""

from __future__ import annotations

import zlib

from larnn_service.errors import BadMessage, TooLarge, quoted
from larnn_service.wire.http import Head

_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""Names of what is read, and how zlib calls it."""
_PLAIN = ("", "identity")


def is_encoded(head: Head) -> bool:
    """Whether the body is not as it is."""
    return head.headers.get("content-encoding", "").strip().lower() not in _PLAIN


def decoded(head: Head, body: bytes | bytearray, limit: int) -> bytes | bytearray:
    """The body as it was before it was compressed, of at most `limit` bytes.

    Raises BadMessage, TooLarge.
    """
    if not is_encoded(head):
        return body
    encoding = head.headers["content-encoding"].strip().lower()
    if (window := _WINDOWS.get(encoding)) is None:
        raise BadMessage(
            f"Content-Encoding {quoted(encoding)} is not read here; send gzip, deflate, or the "
            "body as it is"
        )
    reader = zlib.decompressobj(window)
    try:
        plain = reader.decompress(body, limit + 1)
    except zlib.error as error:
        raise BadMessage(f"the body is not what Content-Encoding says: {error}") from None
    if len(plain) > limit:
        raise TooLarge(f"the body is larger than {limit} bytes; send less at once")
    if not reader.eof or reader.unused_data:
        raise BadMessage(f"the body is not one whole {encoding} stream; send one, to its end")
    return plain
