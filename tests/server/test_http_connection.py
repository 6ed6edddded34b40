"""Connections that speak HTTP/1.1: bytes in any pieces, order, endings, and what they leave."""

from __future__ import annotations

import contextlib
import json
import re

import httpx
import numpy as np
import pytest

from tests.carried import npy
from tests.server.raw import (
    GOOD,
    answers,
    chunked,
    connected,
    first_logit,
    held_runs,
    read_by_now,
    request,
    responses,
    until_closed,
    with_logits,
)
from tests.server.test_classify import BAD_JSON_BODIES

NPY_BODY = npy(np.ones((1, 3, 2), dtype=np.float32))
JSON_BODIES = [
    GOOD,
    b'{"sequences": [[[1, 2], [3, 4]]], "logits": true}',
    b'{"sequences": [[[1, 2]]], "model": "other"}',
    b'{"texts": ["a"]}',
    *(text.encode("latin-1") for text, *_ in BAD_JSON_BODIES if len(text) < 1000),
]
NPY_BODIES = [
    npy(np.ones((2, 3, 2), dtype=np.float32)),
    NPY_BODY,
    GOOD,
    npy(np.full((1, 3, 2), np.nan, dtype=np.float32)),
    npy(np.ones((1, 3, 3), dtype=np.float32)),
    NPY_BODY[:-1],
]
REQUESTS = "larnn_http_request_duration_seconds_count"


@pytest.mark.parametrize("query", ["", "?logits=true&model=toy", "?logits=maybe", "?%6Codel=x"])
@pytest.mark.parametrize(
    ("kind", "bodies"), [("application/json", JSON_BODIES), ("application/x-npy", NPY_BODIES)]
)
def test_each_body_is_answered_as_on_a_new_connection(
    client: httpx.Client, query: str, kind: str, bodies: list[bytes]
) -> None:
    with connected(client) as kept:
        for body in bodies:
            asked = request(body, f"Content-Type: {kind}", path=f"/classify{query}")
            with connected(client) as new:
                new.sendall(asked)
                expected = answers(new, 1)
            for _ in range(2):
                kept.sendall(asked)
                assert answers(kept, 1) == expected


def test_in_any_pieces(client: httpx.Client) -> None:
    with connected(client) as own:
        whole = request(with_logits(7))
        head = len(whole) - len(with_logits(7))
        for cuts in ([head], [head + 9], [20, head], [20, head - 1, head + 1]):
            for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
                own.sendall(whole[start:end])
            assert [first_logit(body) for body in answers(own, 1)] == [7]
        for asked in (whole, chunked(with_logits(7))):
            for byte in asked:
                own.sendall(bytes([byte]))
            assert [first_logit(body) for body in answers(own, 1)] == [7]


def test_requests_behind_one_another_are_answered_in_order(client: httpx.Client) -> None:
    """Whoever answers them, good ones and bad ones, whether their bodies are in chunks."""
    page = request(method="GET", path="/readyz")
    with connected(client) as own:
        asked = [request(with_logits(1)), page, chunked(with_logits(2)), request(b"{"), page]
        own.sendall(b"".join([*asked, *asked, request(with_logits(3))]))
        told = answers(own, 11)
        assert [first_logit(told[at]) for at in (0, 2, 5, 7, 10)] == [1, 2, 1, 2, 3]
        assert [json.loads(told[at])["code"] for at in (3, 8)] == ["bad_json"] * 2
        assert told[1] == told[4] == told[6] == told[9]


@pytest.mark.parametrize("piece", [1, 60, 90])
def test_one_that_comes_in_part_behind_another_is_read_to_its_end(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    """Reading was paused for the one before it."""
    with connected(client) as own:
        with held_runs(monkeypatch) as (begun, _):
            own.sendall(request(with_logits(1)))
            assert begun.wait(100)
            own.sendall(request(with_logits(2))[:piece])
            read_by_now(client)
        own.sendall(request(with_logits(2))[piece:])
        assert [first_logit(body) for body in answers(own, 2)] == [1, 2]


def test_many_connections_at_once(client: httpx.Client) -> None:
    """Each gets its own answer, whoever else asks."""
    bodies = [b'{"sequences": [[[%d, 1], [0, 1]]], "logits": true}' % n for n in range(40)]
    bodies[7], bodies[8] = b'{"sequences": [[[1]]]}', b"{"
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(connected(client)) for _ in bodies]
        for _ in range(4):
            for each, body in zip(kept, bodies, strict=True):
                each.sendall(request(body))
            for number, each in enumerate(kept):
                [body] = answers(each, 1)
                if number in (7, 8):
                    assert json.loads(body)["code"] == {7: "bad_shape", 8: "bad_json"}[number]
                else:
                    assert first_logit(body) == number


@pytest.mark.parametrize(
    "head",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",  # TLS
        b"POST /classify HTTP/9.9\r\n\r\n",
        b"POST /classify HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /classify HTTP/1.1\r\nContent-Length: some\r\n\r\n",
        b"POST /classify HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /classify HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_what_is_no_http_is_told_and_closed_behind_what_was_asked_before(
    client: httpx.Client, head: bytes
) -> None:
    with connected(client) as own:
        own.sendall(request(with_logits(1)) + head)
        told = until_closed(own)
    assert told.startswith(b"HTTP/1.1 200 OK\r\n")
    assert told.count(b"HTTP/1.1 ") == 2
    last = told[told.rindex(b"HTTP/1.1 ") :]
    assert last.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\ncontent-type: application/problem+json\r\n" in last
    assert json.loads(last.partition(b"\r\n\r\n")[2])["code"] == "bad_request"
    assert b"\r\nconnection: close\r\n" in last
    with connected(client) as own:
        own.sendall(head)
        assert until_closed(own).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_a_body_that_is_no_longer_http_in_its_middle_closes(client: httpx.Client) -> None:
    with connected(client) as own:
        own.sendall(chunked()[:-5] + b"not a size\r\n")
        assert until_closed(own).startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize("path", ["/classify", "/readyz"])
@pytest.mark.parametrize(
    ("version", "headers"),
    [("1.0", ()), ("1.0", ("Connection: keep-alive",)), ("1.1", ("Connection: close",))],
)
def test_a_connection_that_shall_close_is_closed(
    client: httpx.Client, path: str, version: str, headers: tuple[str, ...]
) -> None:
    with connected(client) as own:
        method = "GET" if path == "/readyz" else "POST"
        own.sendall(request(GOOD, *headers, method=method, path=path, version=version))
        told = until_closed(own)
    assert told.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close\r\n" in told
    assert re.search(rb"\r\ndate: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r\n", told)


def test_a_head_is_answered_without_a_body(client: httpx.Client) -> None:
    for path, status in (("/docs", 200), ("/classify", 405), ("/", 200)):
        with connected(client) as own:
            asked = request(b"", "Connection: close", method="HEAD", path=path)
            own.sendall(asked)
            told = until_closed(own)
        assert told.startswith(b"HTTP/1.1 %d " % status), told
        assert told.endswith(b"\r\n\r\n")
        assert re.search(rb"\r\ncontent-length: [1-9]", told)


@pytest.mark.parametrize("path", ["/classify", "/v2/repository/index"])
def test_a_client_that_waits_to_be_told_to_go_on_is(client: httpx.Client, path: str) -> None:
    """By an endpoint of ours, and by one of the framework's."""
    body = GOOD if path == "/classify" else b"{}"
    with connected(client) as own:
        own.sendall(request(b"", "Expect: 100-continue", path=path, size=len(body)))
        [(head, _)] = responses(own, 1)
        assert head == b"HTTP/1.1 100 Continue\r\n\r\n"
        own.sendall(body)
        [(head, _)] = responses(own, 1)
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")


def test_what_is_too_large_is_told_before_it_comes(client: httpx.Client) -> None:
    """And a client that waits to be told to go on is not."""
    for headers in ((), ("Expect: 100-continue",)):
        with connected(client) as own:
            own.sendall(request(b"", *headers, size=2**40))
            [body] = answers(own, 1)
            assert json.loads(body)["code"] == "too_large"


def test_what_is_refused_before_its_body_came_is_no_reason_to_close(client: httpx.Client) -> None:
    with connected(client) as own:
        asked = request(GOOD, method="PUT")
        own.sendall(asked[: -len(GOOD)])
        [body] = answers(own, 1)
        assert json.loads(body)["code"] == "method_not_allowed"
        own.sendall(GOOD + request(with_logits(4)))
        [body] = answers(own, 1)
        assert first_logit(body) == 4


@pytest.mark.parametrize("path", ["/classify", "/readyz"])
def test_the_name_of_a_request_is_told_again(client: httpx.Client, path: str) -> None:
    method = "GET" if path == "/readyz" else "POST"
    with connected(client) as own:
        for name, echoed in (("mine", True), ("not fit for a log!", False), ("x" * 65, False)):
            own.sendall(request(GOOD, f"X-Request-Id: {name}", method=method, path=path))
            [(head, _)] = responses(own, 1)
            assert (f"\r\nx-request-id: {name}\r\n".encode() in head) is echoed
        own.sendall(request(GOOD, method="PUT", path=path))
        [(head, _)] = responses(own, 1)
        assert re.search(rb"\r\nx-request-id: [\w.-]+\r\n", head), "an error has a name always"


def test_the_fragment_of_an_address_asks_for_nothing(client: httpx.Client) -> None:
    with connected(client) as own:
        own.sendall(request(GOOD, path="/classify#?model=another"))
        [answer] = answers(own, 1)
    assert json.loads(answer)["model"] == "toy"


def test_an_escaped_path_is_the_path(client: httpx.Client) -> None:
    with connected(client) as own:
        own.sendall(request(GOOD, path="/c%6Cassify"))
        [answer] = answers(own, 1)
    assert json.loads(answer)["model"] == "toy"


def test_an_upgrade_to_something_else_is_none(client: httpx.Client) -> None:
    """The request is answered in HTTP/1.1, and so is the next one."""
    with connected(client) as own:
        upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMA")
        own.sendall(
            request(b"", *upgrade, method="GET", path="/readyz").replace(
                b"Content-Length: 0\r\n", b""
            )
        )
        own.sendall(request(GOOD, *upgrade))
        own.sendall(request(with_logits(5)))
        assert first_logit(answers(own, 3)[2]) == 5


@pytest.mark.parametrize("offer", ["Upgrade: websocket", "Upgrade: websocket\r\nConnection: x"])
def test_an_offer_that_connection_does_not_name_is_none(client: httpx.Client, offer: str) -> None:
    with connected(client) as own:
        own.sendall(request(b"", offer, method="GET", path="/stream"))
        own.sendall(request(with_logits(5), offer))
        [[head, _], [_, second]] = responses(own, 2)
    assert head.startswith(b"HTTP/1.1 404 ")
    assert first_logit(second) == 5


@pytest.mark.parametrize("key", ["", "Sec-WebSocket-Key: short", "Sec-WebSocket-Key: é"])
@pytest.mark.parametrize("version", ["13", "7"])
def test_a_handshake_that_is_none_is_told_as_a_problem(
    client: httpx.Client, key: str, version: str
) -> None:
    lines = ["Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Version: {version}"]
    with connected(client) as own:
        own.sendall(request(b"", *lines, *filter(None, [key]), method="GET", path="/stream"))
        [[head, body]] = responses(own, 1)
    assert json.loads(body)["code"] == "bad_request"
    assert b"content-type: application/problem+json" in head


@pytest.mark.parametrize("path", ["/", "/classify/", "/v2/", "/streams/"])
@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_an_error_repeats_little_of_a_path(client: httpx.Client, method: str, path: str) -> None:
    told = client.request(method, path + 9000 * "Z")
    assert told.status_code in (404, 405)
    assert told.text.count("Z") <= 100
