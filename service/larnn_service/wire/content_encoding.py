"""Compressed bodies (RFC 9110, 8.4): gzip and deflate, within the limit of their endpoint."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from larnn_service.errors import BadMessage, TooLarge, quoted
from larnn_service.wire.http import Head

_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""Names of what is read, and how zlib calls it."""
_PLAIN = ("", "identity")
PIECE = 2**18
"""Bytes that are decompressed at once, when there is room for them."""
_READ = 2**14
"""Compressed bytes that are read at once."""


def body_too_large(limit: int) -> TooLarge:
    """What the sender of more bytes reads."""
    return TooLarge(f"the body is larger than {limit} bytes; send less at once")


def is_encoded(head: Head) -> bool:
    """Whether the body is not as it is."""
    return head.headers.get("content-encoding", "").strip().lower() not in _PLAIN


def pieces(head: Head, body: bytearray, limit: int) -> Iterator[bytes]:
    """The body as it was before it was compressed, in pieces of at most `PIECE` bytes, and of at
    most `limit` bytes altogether. What has been read leaves the body.

    Raises BadMessage, TooLarge.
    """
    encoding = head.headers["content-encoding"].strip().lower()
    if (window := _WINDOWS.get(encoding)) is None:
        raise BadMessage(
            f"Content-Encoding {quoted(encoding)} is not read here; send gzip, deflate, or the "
            "body as it is"
        )
    reader, data, total, is_full = zlib.decompressobj(window), b"", 0, False
    while not reader.eof and (data or body or is_full):
        if not data:
            data = bytes(body[:_READ])
            del body[:_READ]
        most = min(PIECE, limit + 1 - total)
        try:
            piece = reader.decompress(data, most)
        except zlib.error as error:
            raise BadMessage(f"the body is not what Content-Encoding says: {error}") from None
        data, total, is_full = reader.unconsumed_tail, total + len(piece), len(piece) == most
        if total > limit:
            raise body_too_large(limit)
        yield piece
    if not reader.eof or reader.unused_data or body:
        raise BadMessage(f"the body is not one whole {encoding} stream; send one, to its end")
