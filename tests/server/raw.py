"""Requests to the toy as bytes on a socket, their answers, and runs that wait."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from larnn_service.backend.onnx_backend import OnnxBackend
from larnn_service.engine.batching.inline_policy import ShortRuns

GOOD = b'{"sequences": [[[1, 2]]]}'


@contextlib.contextmanager
def held_runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Runs wait: an event that one has begun, and another that lets all go on."""
    begun, go_on = threading.Event(), threading.Event()
    advance = OnnxBackend.advance

    def later(*arguments: Any) -> Any:
        begun.set()
        assert go_on.wait(100)
        return advance(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(OnnxBackend, "advance", later)
        patch.setattr(ShortRuns, "is_short", lambda *_, **__: False)  # the loop would wait too
        try:
            yield begun, go_on
        finally:
            go_on.set()


@contextlib.contextmanager
def held_decoding(
    monkeypatch: pytest.MonkeyPatch, decoder: type[Any]
) -> Iterator[tuple[list[int], threading.Event, threading.Event]]:
    """What such a decoder decodes waits: the sizes of what it was given, an event that one has
    begun, and another that lets all go on."""
    begun, go_on, given = threading.Event(), threading.Event(), list[int]()
    decode = decoder.decode

    def later(self: Any, *arguments: Any) -> Any:
        given.append(max(len(each) for each in arguments if isinstance(each, bytes | bytearray)))
        begun.set()
        assert go_on.wait(100)
        return decode(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(decoder, "decode", later)
        try:
            yield given, begun, go_on
        finally:
            go_on.set()


def reset(own: socket.socket) -> None:
    """The client goes without a word more."""
    own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    own.close()


def request(
    body: bytes = b"",
    *headers: str,
    method: str = "POST",
    path: str = "/classify",
    version: str = "1.1",
    size: int | None = None,
) -> bytes:
    """A request's bytes; `size` is what it announces, if that is not the body's."""
    announced = f"Content-Length: {len(body) if size is None else size}"
    lines = (f"{method} {path} HTTP/{version}", "Host: localhost", announced, *headers, "", "")
    return "\r\n".join(lines).encode() + body


def chunked(*parts: bytes) -> bytes:
    """A request whose body comes in these chunks."""
    head = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (*parts, b""))


def connected(client: httpx.Client) -> socket.socket:
    """A connection to the client's service."""
    made = socket.create_connection((client.base_url.host, client.base_url.port or 0), 100)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def responses(own: socket.socket, count: int) -> list[tuple[bytes, bytes]]:
    """Head and body of so many responses, in order, and nothing behind them."""
    told: list[tuple[bytes, bytes]] = []
    data = b""
    while len(told) < count:
        assert (more := own.recv(2**16)), data
        data += more
        while (end := data.find(b"\r\n\r\n") + 4) > 3:
            fields = dict(line.split(b": ", 1) for line in data[: end - 4].split(b"\r\n")[1:])
            end_of_body = end + int(fields.get(b"content-length", 0))
            if len(data) < end_of_body:
                break
            told.append((data[:end], data[end:end_of_body]))
            data = data[end_of_body:]
    assert not data
    return told


def answers(own: socket.socket, count: int) -> list[bytes]:
    """The bodies of so many responses, in order."""
    return [body for _, body in responses(own, count)]


def until_closed(own: socket.socket) -> bytes:
    """All that comes until the service closes."""
    return b"".join(iter(lambda: own.recv(2**16), b""))


def read_by_now(client: httpx.Client) -> None:
    """What others had sent before has been read when this is over."""
    for _ in range(2):
        assert client.get("/healthz").is_success


def with_logits(value: int) -> bytes:
    return b'{"sequences": [[[%d, 0]]], "logits": true}' % value


def first_logit(body: bytes) -> float:
    logit: float = json.loads(body)["predictions"][0]["logits"][0]
    return logit
