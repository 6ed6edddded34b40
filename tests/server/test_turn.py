"""What a kept connection sends again is read with what others send, and answered the same."""

from __future__ import annotations

import contextlib
import gc
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from larnn_service.api.exchange import Exchange
from larnn_service.endpoints.classify import Asked, ClassifyDoor
from tests import live
from tests.server.test_classify import BAD_JSON_BODIES, npy
from tests.server.test_direct import GOOD, answers, connected, held_runs, request, until_closed
from tests.server.test_metrics import sample

NPY = npy(np.ones((1, 3, 2), dtype=np.float32))
JSON_BODIES = [
    GOOD,
    b'{"sequences": [[[1, 2], [3, 4]]], "logits": true}',
    b'{"logits":true,"sequences":[[[1e-3,-2]]],"model":"toy","version":1}',
    b'{"sequences": [[[1, 2]]], "model": "other"}',
    b'{"sequences": [[[1, 2]], [[3, 4], [5, 6]]]}',
    b'{"texts": ["a"]}',
    *(text.encode("latin-1") for text, *_ in BAD_JSON_BODIES if len(text) < 1000),
]
NPY_BODIES = [
    npy(np.ones((2, 3, 2), dtype=np.float32)),
    b'{"sequences": [[[1, 2], [3, 4]]], "model": "other"}',
    NPY,
    GOOD,
    npy(np.ones((1, 5, 2), dtype=np.float32)),
    npy(np.ones((2, 3, 2), dtype=np.float32)),
    npy(np.full((1, 3, 2), np.nan, dtype=np.float32)),
    npy(np.ones((1, 3, 3), dtype=np.float32)),
    npy(np.ones((1, 3, 2), dtype=np.float64)),
    NPY[:-1],
    GOOD,
]


@pytest.fixture
def own(library: bool, toy_models: Path) -> Iterator[httpx.Client]:
    """A service for one test."""
    with (
        live.running(models=toy_models, model="toy", drain_timeout=2) as url,
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        yield client


def alone(client: httpx.Client, data: bytes) -> bytes:
    """The body of the answer on a connection of its own."""
    with connected(client) as made:
        made.sendall(data)
        [body] = answers(made, 1)
        return body


@pytest.mark.parametrize("query", ["", "?logits=true&model=toy", "?logits=maybe"])
@pytest.mark.parametrize(
    ("kind", "bodies"), [("application/json", JSON_BODIES), ("application/x-npy", NPY_BODIES)]
)
def test_each_body_is_answered_as_on_a_new_connection(
    own: httpx.Client, query: str, kind: str, bodies: list[bytes]
) -> None:
    def asked(body: bytes) -> bytes:
        return request(body, f"Content-Type: {kind}", path=f"/classify{query}")

    expected = [alone(own, asked(body)) for body in bodies]
    with connected(own) as kept:
        for body, answer in [*zip(bodies, expected, strict=True)] * 2:
            for _ in range(3):
                kept.sendall(asked(body))
                assert answers(kept, 1) == [answer]


def test_in_any_pieces_and_behind_one_another(own: httpx.Client) -> None:
    bodies = [b'{"sequences": [[[%d, 0]]], "logits": true}' % value for value in range(12)]
    expected = [alone(own, request(body)) for body in bodies]
    with connected(own) as kept:
        kept.sendall(request(bodies[0]))
        assert answers(kept, 1) == expected[:1]
        for body, answer in zip(bodies, expected, strict=True):
            head, rest = request(body)[: -len(body)], body
            for pieces in ([head, rest], [head + rest[:9], rest[9:]], [head[:20], head[20:], rest]):
                for piece in pieces:
                    kept.sendall(piece)
                assert answers(kept, 1) == [answer]
        for byte in request(bodies[3]):
            kept.sendall(bytes([byte]))
        assert answers(kept, 1) == [expected[3]]
        kept.sendall(b"".join(map(request, bodies)))
        assert answers(kept, 12) == expected


def test_many_connections_at_once(own: httpx.Client) -> None:
    """Each gets its own answer, whoever else asks."""
    bodies = [b'{"sequences": [[[%d, 1], [0, 1]]], "logits": true}' % n for n in range(40)]
    bodies[7], bodies[8] = b'{"sequences": [[[1]]]}', b"{"
    expected = [alone(own, request(body)) for body in bodies]
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(connected(own)) for _ in bodies]
        for _ in range(4):
            for each, body in zip(kept, bodies, strict=True):
                each.sendall(request(body))
            assert [answers(each, 1)[0] for each in kept] == expected


def test_the_door_reads_what_is_not_known_yet_alone(
    own: httpx.Client, monkeypatch: pytest.MonkeyPatch, library: bool
) -> None:
    read, count = ClassifyDoor.read, 0

    def noted(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        return read(*arguments)

    monkeypatch.setattr(ClassifyDoor, "read", noted)
    for body, kind in ((GOOD, "application/json"), (NPY, "application/x-npy")):
        count = 0
        with connected(own) as kept:
            for _ in range(5):
                kept.sendall(request(body, f"Content-Type: {kind}"))
                answers(kept, 1)
        assert count == (1 if library else 5)


def test_its_name_is_told_again(own: httpx.Client) -> None:
    with connected(own) as kept:
        for _ in range(3):
            kept.sendall(request(GOOD, "X-Request-Id: mine"))
            assert b"\r\nx-request-id: mine\r\n" in kept.recv(2**16)


def test_of_what_is_larger_than_a_part_may_be_all_is_counted(own: httpx.Client) -> None:
    """And a client that goes leaves nothing, whether it has sent a little or much."""
    with connected(own) as kept:
        kept.sendall(request(GOOD))
        answers(kept, 1)
        kept.sendall(request(b" " * 40_000, size=50_000))
        while sample(own, "larnn_waiting_bytes") < 20_000:
            pass
    while sample(own, "larnn_waiting_bytes") > 0:
        pass
    with connected(own) as kept:
        kept.sendall(request(GOOD))
        answers(kept, 1)
        kept.sendall(request(GOOD, size=1000))
    requests = "larnn_http_request_duration_seconds_count"
    assert sample(own, requests, door="/classify", status="200", model="toy") == 2
    assert sample(own, requests, door="/classify", status="499", model="") == 1


def test_a_drain_that_takes_too_long_is_told(
    toy_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By both of the short way's forms."""
    service = contextlib.ExitStack()
    url = service.enter_context(live.running(models=toy_models, model="toy", drain_timeout=1))
    stopping = threading.Thread(target=service.close)
    with (
        httpx.Client(base_url=url, timeout=120) as client,
        connected(client) as kept,
        connected(client) as fresh,
    ):
        kept.sendall(request(GOOD))
        answers(kept, 1)
        with held_runs(monkeypatch) as (begun, _):
            kept.sendall(request(GOOD))
            fresh.sendall(request(GOOD))
            assert begun.wait(100)
            while sample(client, "larnn_waiting_steps", model="toy") < 2:
                pass
            stopping.start()
            told = [until_closed(each) for each in (kept, fresh)]
    stopping.join(100)
    for answer in told:
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "draining"


def test_late_requests_leave_nothing(
    library: bool, toy_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the collector of cycles."""

    def left() -> int:
        return sum(type(thing) is Exchange for thing in gc.get_objects())

    gc.collect()
    gc.disable()
    before = left()
    try:
        with (
            live.running(models=toy_models, model="toy", request_timeout=0.3) as url,
            httpx.Client(base_url=url, timeout=120) as client,
        ):
            with held_runs(monkeypatch), connected(client) as kept:
                for _ in range(3):
                    kept.sendall(request(GOOD))
                    assert json.loads(answers(kept, 1)[0])["code"] == "full"
            while left() > before:
                pass
    finally:
        gc.enable()


def test_one_that_fails_is_no_concern_of_others(
    own: httpx.Client, library: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = Exchange.ask

    def fails(self: Exchange, asked: Asked) -> None:
        if asked.sequences[0][0, 0] == 7:
            raise RuntimeError("a secret")
        ask(self, asked)

    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(connected(own)) for _ in range(9)]
        for each in kept:
            each.sendall(request(GOOD))
            answers(each, 1)
        monkeypatch.setattr(Exchange, "ask", fails)
        for value, each in enumerate(kept):
            each.sendall(request(b'{"sequences": [[[%d, 2]]]}' % (value + 3)))
        for value, each in enumerate(kept):
            if value == 4:
                with contextlib.suppress(ConnectionError):
                    assert not until_closed(each)
            else:
                assert json.loads(answers(each, 1)[0])["model"] == "toy"


def test_what_is_too_large_is_told_before_it_comes(library: bool, toy_models: Path) -> None:
    with (
        live.running(models=toy_models, model="toy", max_body=1000) as url,
        httpx.Client(base_url=url, timeout=120) as client,
        connected(client) as kept,
    ):
        kept.sendall(request(GOOD))
        answers(kept, 1)
        kept.sendall(request(b"", size=5000))
        assert json.loads(answers(kept, 1)[0])["code"] == "too_large"
