"""HTTP/2 by hand, for what no client of gRPC sends."""

from __future__ import annotations

import socket
import struct
from types import TracebackType

SETTINGS, HEADERS, DATA, WINDOW_UPDATE = 4, 1, 0, 8
ACK, END_STREAM, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE = 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One frame."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + payload


def grpc_head(path: str, key: str = "") -> bytes:
    """The fields of a call, literal and without indexing: that needs no table and no code."""
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    if key:
        fields["authorization"] = f"Bearer {key}"
    return b"".join(
        b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in fields.items()
    )


def message(data: bytes, announced: int | None = None) -> bytes:
    """A message of gRPC; `announced` is its size where that is not the size of the data."""
    return struct.pack(">BI", 0, len(data) if announced is None else announced) + data


class Connection:
    """One to a server of gRPC, with the preface sent. `window`: bytes of each answer that it has
    room for."""

    def __init__(self, address: str, window: int = 2**16 - 1) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=60)
        self._streams = 1
        settings = struct.pack(">HI", INITIAL_WINDOW_SIZE, window)
        self._socket.sendall(PREFACE + frame(SETTINGS, 0, 0, settings))

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def call(self, path: str, sent: bytes = b"", key: str = "", end: bool = False) -> int:
        """Begin a call and send these bytes of it. Its stream."""
        stream, self._streams = self._streams, self._streams + 2
        self._socket.sendall(
            frame(HEADERS, END_HEADERS, stream, grpc_head(path, key))
            + frame(DATA, END_STREAM if end else 0, stream, sent)
        )
        return stream

    def make_room(self, stream: int) -> None:
        """For some of the stream's answer."""
        self._socket.sendall(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 2**10)))

    def wait_for(self, kind: int) -> bytes:
        """Read until there is a frame of this kind; its payload. Raises EOFError."""
        while True:
            size, found = int.from_bytes(self._read(3), "big"), self._read(1)[0]
            flags = self._read(1)[0]
            self._read(4)
            payload = self._read(size)
            if found == SETTINGS and not flags & ACK:
                self._socket.sendall(frame(SETTINGS, ACK, 0, b""))
            if found == kind:
                return payload

    def wait_for_end(self) -> None:
        """Read until the server ends the connection."""
        try:
            while True:
                self.wait_for(DATA)
        except (EOFError, ConnectionError):
            return

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._socket.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data
