"""The short way of POST /classify: it answers as the long one does, and ends as cleanly."""

from __future__ import annotations

import contextlib
import gc
import json
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from larnn_service.api import direct
from larnn_service.api.exchange import Exchange
from larnn_service.backend.onnx_backend import OnnxBackend
from larnn_service.engine.batching.inline_policy import ShortRuns
from larnn_service.engine.engine import Engine
from tests import live
from tests.server.test_classify import BAD_JSON_BODIES
from tests.server.test_metrics import sample

GOOD = b'{"sequences": [[[1, 2]]]}'
QUERIES = ("", "?logits=true", "?logits=maybe", "?model=other", "?version=0", "?%6Codel=x")
KINDS = ("application/json", "application/x-npy", "application/x-npy; a=b", "")


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
        patch.setattr(ShortRuns, "rows", lambda *_: 0)  # the loop would wait with them
        try:
            yield begun, go_on
        finally:
            go_on.set()


@pytest.fixture
def own(toy_models: Path) -> Iterator[httpx.Client]:
    """A service for one test."""
    with (
        live.running(models=toy_models, model="toy", drain_timeout=60) as url,
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        yield client


def request(body: bytes, *headers: str, path: str = "/classify", size: int | None = None) -> bytes:
    announced = f"Content-Length: {len(body) if size is None else size}"
    lines = (f"POST {path} HTTP/1.1", "Host: larnn", announced, *headers, "", "")
    return "\r\n".join(lines).encode() + body


def connected(client: httpx.Client) -> socket.socket:
    made = socket.create_connection((client.base_url.host, client.base_url.port or 0), 100)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def answers(own: socket.socket, count: int) -> list[bytes]:
    """The bodies of so many answers, in order."""
    bodies: list[bytes] = []
    data = b""
    while len(bodies) < count:
        assert (more := own.recv(2**16)), data
        data += more
        while (end := data.find(b"\r\n\r\n") + 4) > 3:
            fields = dict(line.split(b": ", 1) for line in data[: end - 4].split(b"\r\n")[1:])
            end_of_body = end + int(fields[b"content-length"])
            if len(data) < end_of_body:
                break
            bodies.append(data[end:end_of_body])
            data = data[end_of_body:]
    assert not data
    return bodies


def both(client: httpx.Client, path: str, body: bytes, kind: str) -> list[httpx.Response]:
    """By the short way, and by the long one that a page's request takes."""
    headers = {"X-Request-Id": "mine"} | ({"Content-Type": kind} if kind else {})
    origin = {"Origin": str(client.base_url).rstrip("/")}
    return [client.post(path, content=body, headers=given) for given in (headers, headers | origin)]


def until_closed(own: socket.socket) -> bytes:
    return b"".join(iter(lambda: own.recv(2**16), b""))


def test_idle_connections_are_closed_and_none_that_is_at_work(
    toy_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "KEEP_ALIVE", 0.3)
    with (
        live.running(models=toy_models, model="toy") as url,
        httpx.Client(base_url=url, timeout=120) as client,
        connected(client) as busy,
        connected(client) as refused_before,
        connected(client) as idle,
    ):
        with held_runs(monkeypatch) as (begun, _):
            busy.sendall(request(GOOD))
            assert begun.wait(100)
            refused_before.sendall(request(b"{") + request(GOOD))
            for _ in range(2):
                idle.sendall(request(b"{"))
                assert len(answers(idle, 1)) == 1
            assert until_closed(idle) == b""
        assert len(answers(busy, 1)) == 1
        assert len(answers(refused_before, 2)) == 2
        busy.sendall(request(GOOD))
        assert len(answers(busy, 1)) == 1
        assert until_closed(busy) == until_closed(refused_before) == b""


@pytest.mark.parametrize("body", [GOOD, *(text.encode("latin-1") for text, *_ in BAD_JSON_BODIES)])
def test_both_ways_answer_the_same(client: httpx.Client, body: bytes) -> None:
    for path in (f"/classify{query}" for query in QUERIES):
        for kind in KINDS:
            short, long = both(client, path, body, kind)
            assert short.status_code == long.status_code
            assert short.content == long.content
            for answer in (short, long):
                del answer.headers["date"]
            assert short.headers.multi_items() == long.headers.multi_items()


def test_an_error_that_nobody_foresaw_is_answered_the_same(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(Engine, "model", fail)
    short, long = both(client, "/classify", GOOD, "application/json")
    assert (short.status_code, short.json()["code"]) == (500, "internal")
    assert "secret" not in short.text
    assert short.content == long.content
    assert short.headers["x-request-id"] == long.headers["x-request-id"] == "mine"


def test_the_fragment_of_an_address_asks_for_nothing(client: httpx.Client) -> None:
    with connected(client) as own:
        own.sendall(request(GOOD, path="/classify?logits=false#x"))
        [answer] = answers(own, 1)
    assert json.loads(answer)["model"] == "toy"


def test_a_connection_that_has_closed_leaves_nothing(own: httpx.Client) -> None:
    """Without the collector of cycles, whether the body was good or bad."""

    def left() -> int:
        everything = gc.get_objects()  # some warn, or raise, when `isinstance` asks them
        return sum(type(thing) is Exchange for thing in everything)

    gc.collect()
    gc.disable()
    try:
        before = left()
        for body in (GOOD, b"{") * 5:
            with connected(own) as made:
                made.sendall(request(body, "Connection: close"))
                assert until_closed(made)
        while left() > before:
            pass
    finally:
        gc.enable()


def test_only_the_plain_request_passes_the_application_by(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = []
    application = FastAPI.__call__

    async def noted(self: FastAPI, scope: Any, receive: Any, send: Any) -> None:
        called.append(scope["path"])
        await application(self, scope, receive, send)

    monkeypatch.setattr(FastAPI, "__call__", noted)
    assert client.post("/classify?logits=true", content=GOOD).status_code == 200
    assert called == []
    client.post("/classify", content=GOOD, headers={"Origin": str(client.base_url)})
    client.post("/classify", content=iter([GOOD]))
    client.post("/classify", content=GOOD + b" " * 2**16)
    assert client.get("/classify").status_code == 405
    assert called == ["/classify"] * 4


def test_a_body_in_pieces_and_requests_behind_one_another(client: httpx.Client) -> None:
    with connected(client) as own:
        for byte in request(GOOD):
            own.sendall(bytes([byte]))
        [first] = answers(own, 1)
        bodies = [b'{"sequences": [[[%d, 0]]], "logits": true}' % value for value in range(9)]
        own.sendall(b"".join(map(request, bodies)))
        logits = [json.loads(body)["predictions"][0]["logits"][0] for body in answers(own, 9)]
        assert logits == list(range(9))
    assert json.loads(first)["model"] == "toy"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_connection_that_shall_close_is_closed(client: httpx.Client, version: str) -> None:
    """By both ways alike."""
    told = []
    for way in ((), (f"Origin: {str(client.base_url).rstrip('/')}",)):
        with connected(client) as own:
            asked = request(GOOD, "Connection: close", *way).replace(b"1.1", version.encode(), 1)
            host = client.base_url.netloc
            own.sendall(asked.replace(b"Host: larnn", b"Host: " + host))
            told.append(re.sub(rb"date: .*\r\n", b"", until_closed(own)))
    assert told[0].startswith(b"HTTP/1.1 200 OK\r\n")
    assert told[0] == told[1]


def test_who_hangs_up_is_counted_and_leaves_nothing(
    own: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With half of a body, and with one that is run."""
    with connected(own) as half:
        half.sendall(request(b" " * 40_000, size=50_000))
        while sample(own, "larnn_waiting_bytes") < 20_000:
            pass
    with held_runs(monkeypatch) as (begun, _), connected(own) as whole:
        whole.sendall(request(GOOD))
        assert begun.wait(100)
        assert sample(own, "larnn_waiting_steps", model="toy") == 1
        whole.close()
        while sample(own, "larnn_waiting_steps", model="toy") > 0:
            pass
    assert sample(own, "larnn_waiting_bytes") == 0
    requests = "larnn_http_request_duration_seconds_count"
    assert sample(own, requests, door="/classify", status="499", model="toy") == 1
    assert sample(own, requests, door="/classify", status="499", model="") == 1


def test_what_runs_at_the_drain_is_answered_and_its_connection_closed(
    toy_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = contextlib.ExitStack()
    url = service.enter_context(live.running(models=toy_models, model="toy", drain_timeout=60))
    stopping = threading.Thread(target=service.close)
    client = httpx.Client(base_url=url)
    with client, held_runs(monkeypatch) as (begun, go_on), connected(client) as own:
        own.sendall(request(GOOD))
        assert begun.wait(100)
        stopping.start()
        with contextlib.suppress(ConnectionError):
            while True:
                connected(client).close()
        go_on.set()
        answer = until_closed(own)
    stopping.join(100)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close\r\n" in answer


def test_late_answers_are_full(toy_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        live.running(models=toy_models, model="toy", request_timeout=0.5) as url,
        httpx.Client(base_url=url, timeout=120) as client,
        held_runs(monkeypatch),
    ):
        for answer in (client.post("/classify", content=GOOD) for _ in range(2)):
            assert (answer.status_code, answer.json()["code"]) == (503, "full")
            assert "within 0.5 s" in answer.json()["detail"]
