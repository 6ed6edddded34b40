"""Offers of another protocol that are no handshake here: ignored, and the request answered."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.server.chunks import HANDSHAKE
from tests.server.raw import GOOD, connected, request, responses, until_closed

OFFER = ("Connection: Upgrade", "Upgrade: websocket")
KEY = ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13")


@pytest.fixture
def client(toy_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=toy_url) as client:
        yield client


@pytest.mark.parametrize("more", [(), KEY])
def test_a_request_of_another_endpoint_is_answered(
    client: httpx.Client, more: tuple[str, ...]
) -> None:
    with connected(client) as own:
        own.sendall(request(GOOD, *OFFER, *more) + request(GOOD))
        heads = [head for head, _ in responses(own, 2)]
    assert [head.split()[1] for head in heads] == [b"200", b"200"]


@pytest.mark.parametrize("changed", [(b"GET ", b"POST "), (b"HTTP/1.1", b"HTTP/1.0")])
def test_a_handshake_is_a_get_of_the_first_version(
    client: httpx.Client, changed: tuple[bytes, bytes]
) -> None:
    """RFC 6455, section 4.1: what else asks for a websocket is a request like any other."""
    with connected(client) as own:
        closing = HANDSHAKE.replace(*changed).replace(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n")
        own.sendall(closing + request(GOOD, "Connection: close"))
        told = until_closed(own)
    assert told.split()[1] in (b"404", b"405", b"426")
    assert b" 101 " not in told


def test_there_is_no_websocket_elsewhere(client: httpx.Client) -> None:
    with connected(client) as own:
        own.sendall(HANDSHAKE.replace(b"/stream", b"/elsewhere"))
        own.sendall(request(GOOD, "Connection: close"))
        head, _, body = until_closed(own).partition(b"\r\n\r\n")
    assert int(head.split()[1]) == 404
    assert json.JSONDecoder().raw_decode(body.decode())[0]["status"] == 404
