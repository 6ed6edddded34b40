"""LARNN_MAX_WAITING_BYTES: what has come and is not answered yet is bounded, whatever the door."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from larnn_service.admission.keys import new_key
from larnn_service.settings import Settings
from larnn_service.wire.classify import ClassifyDecoder
from tests import live
from tests.server.raw import GOOD, connected, held_decoding, request, reset
from tests.server.test_metrics import sample
from tests.server.test_stream import Talk
from tests.until import until

LIMIT = 2**20
MOST = 900_000
"""Bytes of those who fill it and stop half-way."""
STEPS = [[1.0, 2.0]] * 40_000
LARGE = {"sequences": [STEPS[:30_000]]}
FRAME = struct.pack(">BBQI", 0x81, 0xFF, MOST + 1, 0)
"""The head of a client's text frame, masked with zeros."""


@pytest.fixture
def url(toy_models: Path) -> Iterator[str]:
    limits = {"max_waiting_bytes": LIMIT, "max_body": LIMIT, "max_message": LIMIT}
    steps = {"max_chunk_steps": 100_000, "max_unacked_steps": 100_000}
    with live.running(models=toy_models, model="toy", **limits, **steps) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=120) as client:
        yield client


@contextlib.contextmanager
def half_a_body(client: httpx.Client, *headers: str) -> Iterator[None]:
    """A request whose body has come but for its last byte, all that while."""
    address = (client.base_url.host, client.base_url.port)
    with socket.create_connection(address) as holder:
        announced = f"Content-Length: {MOST + 1}"
        lines = ("POST /classify HTTP/1.1", "Host: localhost", announced, *headers, "", "")
        holder.sendall("\r\n".join(lines).encode() + b" " * MOST)
        until_waiting(client, MOST)
        yield
    until_waiting(client, 0)


@contextlib.contextmanager
def half_a_message(client: httpx.Client, url: str) -> Iterator[None]:
    with connect(live.websocket_url(url), compression=None, close_timeout=0) as holder:
        holder.recv()
        holder.socket.sendall(FRAME + b" " * MOST)
        until_waiting(client, MOST)
        yield
    until_waiting(client, 0)


def until_waiting(client: httpx.Client, size: int) -> None:
    """The service counts so many, but for those that are free."""
    until(
        lambda: size - 2**15 <= sample(client, "larnn_waiting_bytes") <= size,
        f"there are not {size} waiting bytes",
    )


def test_a_body_without_room_is_refused_before_it_is_read(client: httpx.Client) -> None:
    with half_a_body(client):
        refused = client.post("/classify", json=LARGE)
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "1"
        problem = refused.json()
        assert problem["code"] == "full"
        assert f"bytes of requests and messages wait and {LIMIT} may" in problem["detail"]
    assert client.post("/classify", json=LARGE).status_code == 200


def test_a_body_of_unknown_length_is_refused_on_its_way(client: httpx.Client) -> None:
    with half_a_body(client):
        refused = client.post("/classify", content=iter([b" " * 2**15] * 8))
        assert (refused.status_code, refused.json()["code"]) == (503, "full")


def test_the_open_inference_protocol_says_so_too(client: httpx.Client) -> None:
    values = [1.0, 2.0] * 30_000
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 30_000, 2], "data": values}
    with half_a_body(client):
        refused = client.post("/v2/models/toy/infer", json={"inputs": [tensor]})
        assert (refused.status_code, refused.json()["code"]) == (503, "full")
        assert refused.headers["Retry-After"] == "1"
    assert client.post("/v2/models/toy/infer", json={"inputs": [tensor]}).status_code == 200


def test_a_message_without_room_closes_its_connection(client: httpx.Client, url: str) -> None:
    """And resumed, its stream goes on where it stood."""
    with half_a_message(client, url), connect(live.websocket_url(url), compression=None) as own:
        talk = Talk(own)
        stream = talk.hear()["stream"]
        assert talk.chunk(0, STEPS[:5])["position"] == 5
        assert talk.chunk(5, STEPS)["code"] == "full"
        assert talk.close_code() == 4503
    with connect(f"{live.websocket_url(url)}?stream={stream}", compression=None) as again:
        assert Talk(again).hear()["position"] == 5
        assert Talk(again).chunk(5, STEPS)["position"] == 5 + len(STEPS)


def test_small_requests_and_chunks_have_room_always(client: httpx.Client, url: str) -> None:
    with half_a_body(client), connect(live.websocket_url(url)) as own:
        assert client.post("/classify", json={"sequences": [STEPS[:100]]}).status_code == 200
        talk = Talk(own)
        talk.hear()
        for offset in range(0, 1000, 100):
            assert talk.chunk(offset, STEPS[:100])["position"] == offset + 100


def test_what_is_answered_waits_no_more(client: httpx.Client, url: str) -> None:
    with connect(live.websocket_url(url), compression=None) as own:
        talk = Talk(own)
        talk.hear()
        for turn in range(4):
            assert client.post("/classify", json=LARGE).status_code == 200
            assert talk.chunk(turn * len(STEPS), STEPS)["type"] == "prediction"
        own.socket.sendall(struct.pack(">BBHI", 0x81, 0xFE, 3, 0) + json.dumps("?").encode())
        assert talk.hear()["code"] == "bad_message"
        until_waiting(client, 0)


@pytest.mark.parametrize(
    ("path", "encoding"),
    [
        ("/classify", None),
        ("/classify", "gzip"),
        ("/streams/{}/steps", None),
        ("/v2/models/toy/infer", None),
    ],
)
def test_a_body_whose_client_has_gone_is_counted_while_it_is_held(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, path: str, encoding: str | None
) -> None:
    """The one that the thread has, and no other: those that wait for it are let go."""
    path = path.format(client.post("/streams").json()["stream"])
    steps = json.dumps(STEPS[:9_000])
    body = {
        "/classify": f'{{"sequences": [{steps}]}}',
        "/v2/models/toy/infer": '{"inputs": [{"name": "x", "datatype": "FP32", '
        f'"shape": [1, 9000, 2], "data": {steps}}}]}}',
    }.get(path, f'{{"offset": 0, "steps": {steps}}}')
    sent = request(body.encode(), path=path)
    if encoding is not None:
        noise = random.Random(0).randbytes(len(body))  # as large when it is compressed
        sent = request(gzip.compress(noise), f"Content-Encoding: {encoding}", path=path)
    first = request(GOOD[:-1] + b" " * len(body) + b"}")
    size = len(first) - 2**14
    with held_decoding(monkeypatch, ClassifyDecoder) as (given, begun, go_on):
        own = connected(client)
        own.sendall(first)
        assert begun.wait(100)
        until_waiting(client, size)
        others = [connected(client) for _ in range(2)]
        for other in others:
            other.sendall(sent)
        both = size + 2 * (len(sent) - 2**15)
        until(lambda: sample(client, "larnn_waiting_bytes") > both, "they have not come")
        for each in (own, *others):
            reset(each)
        until_waiting(client, size + 2**14)
        go_on.set()
    until_waiting(client, 0)
    assert len(given) == 1


def test_a_limit_below_one_body_is_refused() -> None:
    with pytest.raises(ValueError, match="max_waiting_bytes must be at least max_body"):
        Settings(max_waiting_bytes=2**20)


def test_one_key_leaves_room_for_another(toy_models: Path) -> None:
    """Half of what may wait is the most that one of several owners holds."""
    (one, first), (two, second) = new_key("one"), new_key("two")
    limits = {"max_waiting_bytes": 2 * LIMIT, "max_body": LIMIT, "max_message": LIMIT}
    with (
        live.running(models=toy_models, model="toy", api_keys=f"{first},{second}", **limits) as url,
        httpx.Client(base_url=url, timeout=120, headers={"Authorization": f"Bearer {one}"}) as own,
        half_a_body(own, f"Authorization: Bearer {one}"),
    ):
        refused = own.post("/classify", json=LARGE)
        assert (refused.status_code, refused.json()["code"]) == (503, "full")
        assert f"this key's requests and messages wait and {LIMIT} may" in refused.text
        assert own.post("/classify", json={"sequences": [[[1, 2]]]}).is_success
        other = {"Authorization": f"Bearer {two}"}
        assert own.post("/classify", json=LARGE, headers=other).is_success
