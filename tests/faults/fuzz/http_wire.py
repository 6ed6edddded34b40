"""HTTP/1.1 on a socket, as strict with responses as it is free with requests."""

from __future__ import annotations

import socket
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.faults.fuzz.verdicts import Finding, hold

PATIENCE = 30.0
"""Seconds without an answer that are a finding: the service closes what stalls long before."""
_LARGEST = 2**26


class Response(NamedTuple):
    """A whole response, its headers by their names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def closes(self) -> bool:
        """Whether nothing comes behind it."""
        return self.headers.get("connection", "").lower() == "close"


class Socket:
    """A connection: bytes out, responses in."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url if "//" in url else f"//{url}")
        assert address.hostname is not None and address.port is not None
        self._socket = socket.create_connection((address.hostname, address.port), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = b""

    def send(self, data: bytes) -> None:
        """Send all of it, if the service still takes it: it may have refused and closed."""
        try:
            self._socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return
        except TimeoutError:
            raise Finding("the service neither reads nor closes") from None

    def end(self) -> None:
        """Send no more."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def close(self) -> None:
        self._socket.close()

    def more(self) -> bytes:
        """What comes next, nothing at the end."""
        data, self._read = self._read, b""
        if data:
            return data
        try:
            return self._socket.recv(2**16)
        except ConnectionResetError:
            return b""
        except TimeoutError:
            raise Finding("no answer") from None

    def response(self, method: str = "GET") -> Response | None:
        """The next response, None where the connection ends instead."""
        head = self._until(b"\r\n\r\n")
        if not head:
            return None
        line, *lines = head[:-4].split(b"\r\n")
        version, _, rest = line.partition(b" ")
        hold(version == b"HTTP/1.1" and rest[:3].isdigit(), f"the status line {line[:100]!r}")
        status = int(rest[:3])
        pairs = [each.decode("latin-1").partition(": ") for each in lines]
        hold(all(colon for _, colon, _ in pairs), f"headers {lines!r}"[:500])
        headers = {name.lower(): value for name, _, value in pairs}
        if status < 200 or status in (204, 304) or method == "HEAD":
            return Response(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Response(status, headers, self._chunks())
        length = headers.get("content-length", "")
        hold(length.isdigit() and int(length) < _LARGEST, f"a response of {length!r} bytes")
        return Response(status, headers, self._exactly(int(length)))

    def _until(self, mark: bytes) -> bytes:
        """As far as the mark; nothing where the connection ends before anything came."""
        while mark not in self._read:
            hold(len(self._read) < _LARGEST, "a head without an end")
            before, self._read = self._read, b""
            data = self.more()
            if not data:
                hold(not before, f"a part of a response: {before[:100]!r}")
                return b""
            self._read = before + data
        end = self._read.index(mark) + len(mark)
        found, self._read = self._read[:end], self._read[end:]
        return found

    def _exactly(self, size: int) -> bytes:
        parts = [self._read]
        missing = size - len(self._read)
        self._read = b""
        while missing > 0:
            data = self.more()
            hold(data, "a part of a body")
            parts.append(data)
            missing -= len(data)
        whole = b"".join(parts)
        self._read = whole[size:]
        return whole[:size]

    def _chunks(self) -> bytes:
        body = b""
        while True:
            size = int(self._until(b"\r\n"), 16)
            body += self._exactly(size + 2)[:size]
            if not size:
                return body
