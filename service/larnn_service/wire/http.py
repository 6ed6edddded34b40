"""An HTTP request's head and a whole response, free of any transport."""

from __future__ import annotations

from collections.abc import MutableMapping
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from larnn_service.errors import BadMessage
from larnn_service.wire.number_texts import whole_number

Headers = tuple[tuple[bytes, bytes], ...]
JSON: Headers = ((b"content-type", b"application/json"),)
NPY = "application/x-npy"
"""An array as `numpy.save` writes it."""
MOST_PARAMETERS = 64
"""Of an address."""
_MADE = "larnn.head"
"""Where a scope keeps its head."""


class Head:
    """Method, path, query and headers. Of a header that comes twice the first counts."""

    def __init__(self, method: str, path: str, query: str, headers: dict[str, str]) -> None:
        """`path` without percent escapes, `query` with them, header names in lower case."""
        self.method, self.path, self.query_string, self.headers = method, path, query, headers

    @cached_property
    def query(self) -> dict[str, str]:
        """The parameters of the address. Raises BadMessage."""
        return query_of(self.query_string)

    @property
    def expects_continue(self) -> bool:
        """Whether the client sends its body only when it is told to go on."""
        return self.headers.get("expect", "").lower() == "100-continue"

    @property
    def sends_npy(self) -> bool:
        """Whether the body is an array."""
        return _kind(self.headers.get("content-type", "")) == NPY

    @cached_property
    def accepts_npy(self) -> bool:
        """Whether the client asks for arrays in the place of JSON."""
        accepted = self.headers.get("accept")
        return accepted is not None and NPY in map(_kind, accepted.split(","))

    @property
    def content_length(self) -> int:
        """What the request announces, 0 where it announces nothing."""
        return whole_number(self.headers.get("content-length", "")) or 0


def query_of(text: str) -> dict[str, str]:
    """The parameters of an address; of one that comes twice the last counts. Raises BadMessage."""
    if not text:
        return {}
    try:
        found = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise BadMessage(f"the address has more than {MOST_PARAMETERS} parameters") from None
    return dict(found)


def _kind(media_type: str) -> str:
    """A media type without its parameters."""
    return media_type.partition(";")[0].strip().lower()


def below(root_path: str, path: str) -> str:
    """The path as the service knows it, without what a proxy has put before it."""
    if root_path and (path == root_path or path.startswith(f"{root_path}/")):
        return path[len(root_path) :] or "/"
    return path


def head_of(scope: MutableMapping[str, Any]) -> Head:
    """The head of an ASGI scope of HTTP or a websocket, made once."""
    known: Head | None = scope.get(_MADE)
    if known is not None:
        return known
    headers = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in reversed(scope["headers"])
    }
    query = scope.get("query_string", b"").decode("latin-1")
    head = scope[_MADE] = Head(scope.get("method", "GET"), scope["path"], query, headers)
    return head


class Response(NamedTuple):
    """A whole response but for the headers that every response has."""

    body: bytes
    status: int = 200
    headers: Headers = JSON
