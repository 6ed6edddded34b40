"""What a client can make a connection hold, and wait for: each has a limit and an end."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from larnn_service.transport import hub
from larnn_service.transport.arrival import DISCARDED_AT_ONCE
from larnn_service.transport.request_parser import MAX_HEAD, MAX_LINES
from tests import live
from tests.server.raw import (
    GOOD,
    answers,
    chunked,
    connected,
    held_runs,
    read_by_now,
    request,
    responses,
    until_closed,
)

LINE = b"GET /healthz HTTP/1.1\r\n"
HEAD = LINE + b"Host: localhost\r\n"
HANDSHAKE = b"GET /stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
CHUNKED = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
MANY = b"a: b\r\n" * 10 * MAX_LINES
LONG = b"x" * 2 * MAX_HEAD
ENDLESS = {
    "request line": b"GET /" + LONG,
    "query": b"GET /healthz?a=" + LONG,
    "method": LONG,
    "empty lines": b"\r\n" * MAX_HEAD,
    "headers": HEAD + MANY,
    "the name of a header": HEAD + LONG,
    "the value of a header": HEAD + b"X: " + LONG,
    "the spaces before a value": HEAD + b"X:" + b" " * 2 * MAX_HEAD,
    "headers of a handshake": HANDSHAKE + MANY,
    "trailers": CHUNKED + b"0\r\n" + MANY,
    "the value of a trailer": CHUNKED + b"0\r\nX: " + LONG,
    "the extension of a chunk": CHUNKED + b"1;a=" + LONG,
    "the size of a chunk": CHUNKED + b"0" * 2 * MAX_HEAD,
}
"""Parts of a request that never end, of which a client can send as much as it likes."""


@pytest.mark.parametrize("part", ENDLESS)
def test_what_never_ends_is_refused(client: httpx.Client, part: str) -> None:
    with connected(client) as own, contextlib.suppress(ConnectionError):
        own.sendall(ENDLESS[part])
        assert until_closed(own).split()[1:2] in ([b"431"], [b"400"])
    assert client.get("/healthz").is_success


@pytest.mark.parametrize("part", ["headers", "the value of a header", "trailers"])
def test_it_is_refused_in_small_pieces_too(client: httpx.Client, part: str) -> None:
    with connected(client) as own, contextlib.suppress(ConnectionError):
        for start in range(0, len(ENDLESS[part]), 1000):
            own.sendall(ENDLESS[part][start : start + 1000])
            read_by_now(client)
        assert b" 431 " in until_closed(own)


def test_what_was_asked_before_is_answered_first(client: httpx.Client) -> None:
    with connected(client) as own:
        own.sendall(request(GOOD) + HEAD + MANY)
        first, second = until_closed(own).split(b"HTTP/1.1 ")[1:]
        assert first.startswith(b"200")
        assert second.startswith(b"431")


def test_a_head_of_a_common_size_is_taken(client: httpx.Client) -> None:
    """A browser's cookies, say."""
    cookies = "Cookie: " + "c=" + "v" * (MAX_HEAD - 1000)
    with connected(client) as own:
        own.sendall(request(GOOD, cookies, *(f"X-{n}: {n}" for n in range(20))))
        assert len(answers(own, 1)) == 1


def test_many_requests_at_once_are_taken_one_after_the_other(client: httpx.Client) -> None:
    with connected(client) as own:
        own.sendall(request(GOOD) * 2000)
        assert len(answers(own, 2000)) == 2000


def test_a_body_of_the_smallest_chunks_is_read(client: httpx.Client) -> None:
    with connected(client) as own:
        own.sendall(chunked(*(bytes([byte]) for byte in GOOD)))
        assert len(answers(own, 1)) == 1


def test_refused_bodies_are_read_in_turns_and_what_follows_is_answered(
    client: httpx.Client,
) -> None:
    body = b" " * 4 * DISCARDED_AT_ONCE
    with contextlib.ExitStack() as stack:
        several = [stack.enter_context(connected(client)) for _ in range(4)]
        for own in several:
            own.sendall(request(body, path="/nowhere") + request(GOOD))
        for own in several:
            (refusal, _), (answer, _) = responses(own, 2)
            assert b" 404 " in refusal
            assert b" 200 " in answer


@pytest.fixture
def hasty(toy_models: Path) -> Iterator[httpx.Client]:
    """A service that waits for requests, and for readers, no longer than a moment."""
    settings = {"keep_alive": 0.3, "arrival_timeout": 0.3, "send_timeout": 0.3}
    with (
        live.running(models=toy_models, model="toy", **settings) as url,
        httpx.Client(base_url=url, timeout=100) as client,
    ):
        yield client


SLOW = {
    "nothing": (b"", b""),
    "an empty line": (b"\r\n", b""),
    "a part of a line": (b"GET /hea", b" 408 "),
    "a part of the headers": (HEAD, b" 408 "),
    "no body": (request(size=100), b" 408 "),
    "a part of a body": (request(GOOD, size=100), b" 408 "),
    "a part of a body for the framework": (request(b"{", path="/streams", size=9), b" 408 "),
    "a part of the chunks": (CHUNKED + b"5\r\nhel", b" 408 "),
    "the rest of a refused body": (request(path="/nowhere", size=100), b" 404 "),
    "a part of the next request": (request(GOOD) + HEAD, b" 408 "),
    "a part of a handshake": (
        b"GET /stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n",
        b" 408 ",
    ),
}


@pytest.mark.parametrize("what", SLOW)
def test_a_client_that_sends_no_more_is_let_go(hasty: httpx.Client, what: str) -> None:
    sent, told = SLOW[what]
    with connected(hasty) as own:
        own.sendall(sent)
        assert told in until_closed(own)


def test_a_client_that_reads_nothing_is_let_go(hasty: httpx.Client) -> None:
    own = connected(hasty)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with own, pytest.raises(ConnectionError):
        while True:  # until nothing more is taken, and then the connection is reset
            own.sendall(request(method="GET", path="/openapi.json"))


@pytest.mark.parametrize("path", ["/classify", "/streams"])
def test_who_sends_no_more_is_answered(client: httpx.Client, path: str) -> None:
    with connected(client) as own:
        own.sendall(request(GOOD if path == "/classify" else b"{}", path=path))
        own.shutdown(socket.SHUT_WR)
        assert b"HTTP/1.1 20" in until_closed(own)


def test_all_that_was_asked_before_the_end_is_answered_in_order(client: httpx.Client) -> None:
    with connected(client) as own:
        own.sendall(request(GOOD) + request(b"{") + request(GOOD))
        own.shutdown(socket.SHUT_WR)
        statuses = [part[:3] for part in until_closed(own).split(b"HTTP/1.1 ")[1:]]
        assert statuses == [b"200", b"422", b"200"]


def test_who_has_sent_no_more_is_not_waited_for(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held_runs(monkeypatch) as (begun, _), connected(client) as own:
        own.sendall(request(GOOD))
        assert begun.wait(100)
        own.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            assert until_closed(own) == b""


def test_garbage_behind_a_request_that_runs_is_answered_behind_it(client: httpx.Client) -> None:
    with connected(client) as own:
        own.sendall(request(GOOD) + b"\0\1\2 garbage")
        first, second = until_closed(own).split(b"HTTP/1.1 ")[1:]
        assert (first[:3], second[:3]) == (b"200", b"400")


@pytest.fixture
def crowded(toy_models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A service that has room for four connections, and for two more that ask for its health."""
    monkeypatch.setattr(hub, "RESERVE", 2)
    with (
        live.running(models=toy_models, model="toy", max_connections=4) as url,
        httpx.Client(base_url=url, timeout=100) as client,
    ):
        yield client


def test_silent_connections_make_room_for_others(crowded: httpx.Client) -> None:
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connected(crowded)) for _ in range(50)]
        silent[-1].sendall(b"GET")
        assert crowded.post("/classify", content=GOOD).is_success
        with contextlib.suppress(ConnectionError):
            assert until_closed(silent[0]) == b""


def test_where_all_are_at_work_only_health_and_management_are_answered(
    crowded: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held_runs(monkeypatch) as (begun, go_on), contextlib.ExitStack() as stack:
        busy = [stack.enter_context(connected(crowded)) for _ in range(4)]
        for own in busy:
            own.sendall(request(GOOD))
        assert begun.wait(100)
        for path in ("/healthz", "/readyz", "/metrics", "/models"):
            assert httpx.get(crowded.base_url.join(path)).is_success
        refused = httpx.post(crowded.base_url.join("/classify"), content=GOOD)
        assert (refused.status_code, refused.json()["code"]) == (503, "full")
        assert "4 connections" in refused.json()["detail"]
        go_on.set()
        for own in busy:
            assert responses(own, 1)[0][0].startswith(b"HTTP/1.1 200")
