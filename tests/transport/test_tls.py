"""TLS: handshakes that never end are counted, bounded, and leave room for others."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme
from websockets.sync.client import connect

from tests import live
from tests.server.raw import GOOD, request, responses

MOST = 8
"""Connections that may be open, but for those of the reserve."""
HALF_A_HELLO = bytes.fromhex("16030100c8010000c40303")


@pytest.fixture(scope="module")
def context() -> ssl.SSLContext:
    return ssl.create_default_context()


@pytest.fixture(scope="module")
def url(
    context: ssl.SSLContext, toy_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    authority, folder = trustme.CA(), tmp_path_factory.mktemp("tls")
    authority.configure_trust(context)
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    files = {"tls_cert": folder / "cert.pem", "tls_key": folder / "key.pem"}
    with live.running(models=toy_models, model="toy", max_connections=MOST, **files) as url:
        yield url.replace("http://", "https://")


def address(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("https://").split(":")
    return host, int(port)


@pytest.mark.parametrize("said", [b"", HALF_A_HELLO], ids=["silent", "half a hello"])
def test_handshakes_that_do_not_end_leave_room(
    url: str, context: ssl.SSLContext, said: bytes
) -> None:
    """The oldest is closed for the next connection, as one that asks nothing is without TLS."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(address(url))) for _ in range(200)]
        for own in held:
            with contextlib.suppress(OSError):
                own.sendall(said)
        with httpx.Client(base_url=url, verify=context, timeout=100) as client:
            for _ in range(3):
                assert client.post("/classify", content=GOOD).status_code == 200
        held[0].settimeout(100)
        with contextlib.suppress(ConnectionError):
            assert held[0].recv(1) == b""


def test_a_handshake_has_an_end(url: str) -> None:
    with socket.create_connection(address(url), 100) as own:
        own.sendall(HALF_A_HELLO)
        with contextlib.suppress(ConnectionError):
            assert own.recv(2**12) == b""


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 100, b"\x16\x03\x01\x00\x02\x01\x00"]
)
def test_what_is_no_tls_is_let_go(url: str, said: bytes) -> None:
    with socket.create_connection(address(url), 100) as own:
        own.sendall(said)
        with contextlib.suppress(ConnectionError):
            while own.recv(2**12):
                pass


def test_requests_behind_the_handshake_are_answered(url: str, context: ssl.SSLContext) -> None:
    """Also a large body, of many records."""
    with (
        socket.create_connection(address(url), 100) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as own,
    ):
        own.sendall(request(GOOD) * 3)
        assert [head.split()[1] for head, _ in responses(own, 3)] == [b"200"] * 3
        steps = ",".join(["[1, 2]"] * 20_000)
        own.sendall(request(b'{"sequences": [[%s]]}' % steps.encode()))
        assert [head.split()[1] for head, _ in responses(own, 1)] == [b"200"]


def test_a_websocket_is_served(url: str, context: ssl.SSLContext) -> None:
    with connect(url.replace("https", "wss") + "/stream", ssl=context) as own:
        assert '"opened"' in str(own.recv())
        own.send('{"type": "chunk", "offset": 0, "steps": [[1, 2]]}')
        assert '"position":1' in str(own.recv()).replace(" ", "")
