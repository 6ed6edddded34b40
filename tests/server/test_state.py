"""A stream's state as a file: taken out, put in, forked; and nothing in a file is trusted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from safetensors.numpy import load, save
from websockets.sync.client import connect

from tests import live
from tests.server.test_stream import Talk
from tests.server.test_streams import steps

Tensors = dict[str, np.ndarray[Any, Any]]
METADATA = {"model": "toy", "version": "1", "position": "3"}


def tensors() -> Tensors:
    """The toy after three steps, two of them unacknowledged."""
    return {
        "total": np.array([[3, 6]], np.float32),
        "seen": np.array([3], np.int64),
        "logits": np.array([[[2, 4, 2], [3, 6, 3]]], np.float32),
    }


def put(client: httpx.Client, stream: str, state: Tensors, **metadata: str) -> httpx.Response:
    body = save(state, METADATA | metadata)
    return client.put(f"/streams/{stream}/state", content=body)


@pytest.fixture
def stream(client: httpx.Client) -> str:
    return str(client.post("/streams").json()["stream"])


def test_the_file_holds_state_answers_and_where_they_belong(
    client: httpx.Client, stream: str
) -> None:
    steps(client, stream, 0)
    steps(client, stream, 1, 2)
    answer = client.get(f"/streams/{stream}/state")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    found = load(answer.content)
    for name, tensor in tensors().items():
        assert (found[name].dtype, found[name].tolist()) == (tensor.dtype, tensor.tolist())
    assert b'"position":"3"' in answer.content


def test_a_file_goes_on_in_another_stream_with_its_answers(
    client: httpx.Client, stream: str
) -> None:
    steps(client, stream, 0, 3)
    body = client.get(f"/streams/{stream}/state").content
    other = client.post("/streams").json()["stream"]
    answer = client.put(f"/streams/{other}/state", content=body)
    assert (answer.status_code, answer.json()["stream"]) == (200, other)
    assert (answer.json()["position"], answer.json()["durable"]) == (3, 3)
    assert steps(client, other, 0, 3).json()["logits"] == [3, 6, 3]
    assert steps(client, other, 3).json()["logits"] == [4, 8, 4]
    assert client.get(f"/streams/{stream}").json()["position"] == 3


def test_the_connection_of_a_restored_stream_is_closed_as_moved(
    toy_url: str, client: httpx.Client
) -> None:
    with connect(live.websocket_url(toy_url)) as socket:
        talk = Talk(socket)
        stream = talk.hear()["stream"]
        assert put(client, stream, tensors()).status_code == 200
        assert talk.hear()["code"] == "moved"
        assert talk.close_code() == 4411
    with connect(f"{live.websocket_url(toy_url)}?stream={stream}") as socket:
        assert Talk(socket).hear()["position"] == 3


def test_a_fork_stands_where_its_origin_does_and_goes_its_own_way(
    client: httpx.Client, stream: str
) -> None:
    steps(client, stream, 0, 3)
    answer = client.post(f"/streams/{stream}/fork")
    fork = answer.json()["stream"]
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/streams/{fork}"
    assert fork != stream
    assert (answer.json()["position"], answer.json()["durable"]) == (3, 3)
    assert steps(client, fork, 0, 3).json()["logits"] == [3, 6, 3]
    assert steps(client, fork, 3).json()["logits"] == [4, 8, 4]
    assert steps(client, fork, 4).json()["logits"] == [5, 10, 5]
    assert steps(client, stream, 3).json()["logits"] == [4, 8, 4]


def test_a_fork_with_a_key_is_made_once(client: httpx.Client, stream: str) -> None:
    key = {"Idempotency-Key": stream}
    first, again = (client.post(f"/streams/{stream}/fork", headers=key) for _ in range(2))
    assert first.json() == again.json()


def test_a_key_is_for_one_operation(client: httpx.Client, stream: str) -> None:
    """Another stream's fork, an opening and a sequence of other arguments are no repetition."""
    other = client.post("/streams", json={}).json()["stream"]
    forked, opened = {"Idempotency-Key": f"{stream}f"}, {"Idempotency-Key": f"{stream}o"}
    first = client.post(f"/streams/{stream}/fork", headers=forked).json()["stream"]
    assert client.post("/streams", json={}, headers=opened).is_success
    for path, key in (
        (f"/streams/{other}/fork", forked),
        (f"/streams/{first}/fork", forked),
        ("/streams", forked),
        (f"/streams/{stream}/fork", opened),
    ):
        answer = client.post(path, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    again = client.post(f"/streams/{stream}/fork", headers=forked).json()["stream"]
    assert again == first
    steps(client, first, 3)
    assert client.post(f"/streams/{stream}/fork", headers=forked).json()["stream"] == first


def test_without_answers_a_file_is_enough_to_go_on(client: httpx.Client, stream: str) -> None:
    state = tensors()
    del state["logits"]
    assert put(client, stream, state).json()["position"] == 3
    gone = steps(client, stream, 2)
    assert (gone.json()["code"], gone.json()["expected_offset"]) == ("bad_value", 3)
    assert steps(client, stream, 3).json()["logits"] == [4, 8, 4]


def change(name: str, value: Any) -> Callable[[Tensors], Tensors]:
    return lambda state: state | {name: value}


@pytest.mark.parametrize(
    ("changed", "metadata", "code", "field"),
    [
        (change("total", np.zeros((1, 3), np.float32)), {}, "bad_shape", "total"),
        (change("total", np.zeros((2, 2), np.float32)), {}, "bad_shape", "total"),
        (change("total", np.array(1, np.float32)), {}, "bad_shape", "total"),
        (change("total", np.zeros((1, 2), np.float64)), {}, "bad_value", "total"),
        (change("total", np.array([[np.nan, 0]], np.float32)), {}, "bad_value", "total"),
        (change("seen", np.array([-1])), {}, "bad_value", "seen"),
        (change("seen", np.array([2**40 + 1])), {}, "bad_value", "seen"),
        (change("more", np.zeros(1, np.float32)), {}, "bad_message", "more"),
        (change("logits", np.zeros((1, 4, 3), np.float32)), {}, "bad_value", "logits"),
        (change("logits", np.zeros((1, 1, 2), np.float32)), {}, "bad_shape", "logits"),
        (change("logits", np.zeros((1, 1), np.float32)), {}, "bad_shape", "logits"),
        (change("logits", np.full((1, 1, 3), np.inf, np.float32)), {}, "bad_value", "logits"),
        (lambda state: {"seen": state["seen"]}, {}, "bad_message", "total"),
        (lambda state: state, {"model": "other"}, "bad_value", "model"),
        (lambda state: state, {"position": "-1"}, "bad_message", "position"),
        (lambda state: state, {"position": "9999999999999999"}, "bad_value", "position"),
        (lambda state: state, {"version": "new"}, "bad_message", "version"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_field(
    client: httpx.Client,
    stream: str,
    changed: Callable[[Tensors], Tensors],
    metadata: dict[str, str],
    code: str,
    field: str,
) -> None:
    steps(client, stream, 0)
    answer = put(client, stream, changed(tensors()), **metadata)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert field in answer.json()["detail"]
    assert steps(client, stream, 1).json()["logits"] == [2, 4, 2]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "bad_message"),
        (b"\xff" * 64, 422, "bad_message"),
        (save(tensors()), 422, "bad_message"),
        (save(tensors(), METADATA)[:-1], 422, "bad_message"),
        (b"\0" * 2**20, 413, "too_large"),
    ],
)
def test_what_is_no_state_is_refused(
    client: httpx.Client, stream: str, body: bytes, status: int, code: str
) -> None:
    answer = client.put(f"/streams/{stream}/state", content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_an_ended_or_unknown_stream_has_no_state(toy_url: str, client: httpx.Client) -> None:
    with connect(live.websocket_url(toy_url)) as socket:
        talk = Talk(socket)
        stream = talk.hear()["stream"]
        talk.say({"type": "end"})
    for gone in (
        client.get(f"/streams/{stream}/state"),
        put(client, stream, tensors()),
        client.post(f"/streams/{stream}/fork"),
    ):
        assert (gone.status_code, gone.json()["code"]) == (410, "expired")
    assert client.get(f"/streams/{'0' * 48}/state").status_code == 404
