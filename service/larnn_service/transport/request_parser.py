"""From a connection's bytes to its requests, within limits, over the parser of httptools."""

from __future__ import annotations

from typing import Protocol
from urllib.parse import unquote

import httptools

from larnn_service.transport.http_message import Message, RawHeaders
from larnn_service.wire.error_responses import problem
from larnn_service.wire.http import Head, Response, below

MAX_HEAD = 2**14
"""Bytes of a request's line and headers together; its trailers have as many again."""
MAX_LINES = 100
"""Headers, or trailers, of one request."""
BAD_REQUEST = problem(
    400, "bad_request", "this is no HTTP request with one Host and one end; correct it", ""
)
TOO_LARGE = problem(
    431,
    "head_too_large",
    f"the request's line and headers are larger than {MAX_HEAD} bytes or more than {MAX_LINES} "
    "lines; send less in them",
    "",
)


class Requests(Protocol):
    """Whoever takes the requests of a connection."""

    def request_begun(self, message: Message) -> None:
        """A request's head is whole."""
        ...

    def request_whole(self, message: Message) -> None:
        """All of a request has come."""
        ...

    def upgrades(self, head: Head) -> bool:
        """Whether it is a handshake, behind which nothing is HTTP."""
        ...


class HeadTooLargeError(Exception):
    """A request's head, or its trailers, are over a limit."""


class RequestParser:
    """The parser of one connection. What it holds of a head is bounded, however it comes."""

    def __init__(self, requests: Requests, root_path: str = "") -> None:
        """`root_path`: what stands before the path of a request, where something does."""
        self._requests, self._root_path = requests, root_path
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._raw: RawHeaders = []
        self._head_size = self._lines = 0
        self._swallowed = 0
        """Bytes parsed since the parser last gave something: it may hold them."""
        self._ignored: bytes | None = None
        """The head of a request whose offer to upgrade is ignored, to be read again without it."""
        self.incoming: Message | None = None
        """The request whose body is on its way."""
        self.in_head = False
        """A request has begun, and its head is not whole."""
        self.refusal: Response | None = None
        """Why nothing more is read."""

    def feed(self, data: bytes | memoryview) -> bytes | None:
        """Parse the bytes. Returns what came behind a handshake, after which nothing is HTTP.

        Raises whatever a callback raised that is no fault of the client's.
        """
        self._swallowed += len(data)
        while data and self.refusal is None:
            try:
                self._parser.feed_data(data)
                break
            except httptools.HttpParserUpgrade as upgrade:
                data = bytes(data[upgrade.args[0] :])
                if self.refusal is not None:
                    break
                if self._ignored is None:
                    return data
                # The parser skips the body of such a request: read all of it again.
                self._parser = httptools.HttpRequestParser(self)
                data, self._ignored = self._ignored + data, None
            except httptools.HttpParserCallbackError as error:
                if not isinstance(error.__context__, HeadTooLargeError):
                    raise
                self.refusal = TOO_LARGE
            except httptools.HttpParserError:
                self.refusal = BAD_REQUEST
        if self._swallowed > MAX_HEAD:
            self.refusal = self.refusal or TOO_LARGE
        return None

    def close(self) -> None:
        """Nothing more comes. Until then all of them hold each other."""
        del self._parser, self._requests
        self.incoming = None

    # The parser's side.

    def on_message_begin(self) -> None:
        self._url, self._raw, self.in_head = b"", [], True
        self._head_size = self._lines = self._swallowed = 0

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._swallowed = 0
        self._head_size += len(url)
        if self._head_size > MAX_HEAD:
            raise HeadTooLargeError

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which nobody reads."""
        self._lines += 1
        self._swallowed = 0
        self._head_size += len(name) + len(value)
        if self._head_size > MAX_HEAD or self._lines > MAX_LINES:
            raise HeadTooLargeError
        if self.in_head:
            self._raw.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        parser, self.in_head = self._parser, False
        self._head_size = self._lines = self._swallowed = 0
        version = parser.get_http_version()
        hosts = [name for name, _ in self._raw].count(b"host")
        if hosts > 1 or (not hosts and version != "1.0"):  # RFC 9112, section 3.2
            self.refusal = self.refusal or BAD_REQUEST
        if self.refusal is not None:
            return
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in reversed(self._raw)}
        path, _, query = self._url.decode("latin-1").partition("#")[0].partition("?")
        if "%" in path:
            path = unquote(path)
        if self._root_path:
            path = below(self._root_path, path)
        head = Head(parser.get_method().decode(), path, query, headers)
        offered = parser.should_upgrade()  # an offer that `Connection` does not name is none
        upgrade = offered and version == "1.1" and self._requests.upgrades(head)
        if offered and not upgrade:
            self._ignored = self._without_upgrade()
            return
        keep_alive = version != "1.0" and parser.should_keep_alive()
        self.incoming = Message(head, self._raw, version, keep_alive, upgrade)
        self._requests.request_begun(self.incoming)

    def _without_upgrade(self) -> bytes:
        """The head of a request that offers another protocol, which is ignored, as it would be
        without the offer."""
        method, version = self._parser.get_method(), self._parser.get_http_version().encode()
        if method == b"CONNECT":
            self.refusal = BAD_REQUEST
        lines = [
            name + b": " + value + b"\r\n"
            for name, value in self._raw
            if name not in (b"upgrade", b"http2-settings")
        ]
        return b"%s %s HTTP/%s\r\n%s\r\n" % (method, self._url, version, b"".join(lines))

    def on_chunk_header(self) -> None:
        """The size of a part of the body, and what may stand behind it."""
        self._swallowed = 0

    def on_body(self, body: bytes) -> None:
        self._swallowed = 0
        if self.incoming is not None:
            self.incoming.receive(body)

    def on_message_complete(self) -> None:
        self._swallowed = 0
        message, self.incoming = self.incoming, None
        if message is not None:
            message.finish()
            self._requests.request_whole(message)
