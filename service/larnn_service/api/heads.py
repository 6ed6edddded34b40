"""The headers of a request, and how to know them again: a kept connection sends the same ones with
each request, but for the length of its body, and to parse them costs more than to compare them."""

from __future__ import annotations

import ctypes
import re

import numpy as np
from starlette.datastructures import QueryParams

from larnn_service.backend.requests import NativeHead
from larnn_service.endpoints.classify import Asked, is_npy
from larnn_service.endpoints.metrics import REQUEST_ID, decent
from larnn_service.wire.arrays import version_asked

Fields = dict[bytes, bytes]
Wish = tuple[str | None, int | None, bool]
"""Model, version, and whether logits are wanted."""
LARGEST = 2**16
"""Bytes of a body on the short way. What is larger is read at a pace, on the long one."""
_DIGITS = len(str(LARGEST))
_KNOWN = 2**11
"""Bytes of headers that are worth to be known again."""
WHOLE = LARGEST + _KNOWN
"""Bytes of a request on the short way."""
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)(?=\r\n)", re.IGNORECASE)


class Head:
    """What they say."""

    __slots__ = ("given", "keep_alive", "kind", "owner", "query")

    def __init__(self, owner: str, query: bytes, fields: Fields, keep_alive: bool) -> None:
        self.owner, self.keep_alive = owner, keep_alive
        self.query = QueryParams(query)
        self.kind = fields.get(b"content-type", b"").decode("latin-1")
        self.given = decent(fields.get(REQUEST_ID))


class KnownHead:
    """One that has been read, with the bytes that it was read from."""

    __slots__ = ("_after", "_before", "_native", "address", "head", "noted", "wish")

    def __init__(self, before: bytes, after: bytes, head: Head) -> None:
        """The bytes before and after the digits of its Content-Length."""
        self._before, self._after, self.head = before, after, head
        self._native = NativeHead(before, len(before), after, len(after))
        self.address = ctypes.addressof(self._native)
        self.noted = False
        """Whether a body that came with it was right, so that it says nothing wrong itself, and the
        library can read others like it."""
        self.wish: Wish | None = None
        """What the address says for bodies in npy; JSON has it inside."""

    @classmethod
    def of(cls, data: bytes, head: Head) -> KnownHead | None:
        """From the start of a request; None where it is not worth it or not plain."""
        end = data.find(_END, 0, _KNOWN) + len(_END)
        lengths = list(_LENGTH.finditer(data, 0, end))
        if end < len(_END) or len(lengths) != 1 or not head.keep_alive:
            return None
        first, last = lengths[0].span(1)
        return cls(data[:first], data[last:end], head)

    def note(self, body: bytes, asked: Asked) -> None:
        """A body that came with it and was right: others will be like it."""
        x, query = asked.sequences[0], self.head.query
        if not is_npy(self.head.kind):
            self.noted = True
        elif len(asked.sequences) == 1 and x.dtype == np.float32:
            self.noted = True
            npy = body[: len(body) - x.nbytes]
            native = self._native
            native.npy, native.npy_size = npy, len(npy)
            native.steps, native.channels = x.shape
            self.wish = (query.get("model"), version_asked(query), asked.logits)

    def body(self, data: bytes) -> bytes | None:
        """That of a request with the same head, where it is all of the data."""
        start, size = self._place(data)
        return data[start:] if start and len(data) - start == size else None

    def is_part(self, data: bytes, largest: int) -> bool:
        """Whether it is such a request, with a body of at most so many bytes, of which not all has
        come."""
        start, size = self._place(data)
        return start > 0 and len(data) - start < size <= largest

    def _place(self, data: bytes) -> tuple[int, int]:
        """Where the body starts, 0 where the head is another one, and its size."""
        first = len(self._before)
        last = data.find(b"\r", first, first + _DIGITS + 1)
        digits = data[first:last]
        if not digits.isdigit() or not data.startswith(self._before):
            return 0, 0
        if last < 0 or not data.startswith(self._after, last):
            return 0, 0
        return last + len(self._after), int(digits)
