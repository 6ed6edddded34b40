"""The stream over plain HTTP, its capacity and its idle end, against the running service."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests import live, toy
from tests.server.test_stream import Talk


def steps(client: httpx.Client, stream: str, offset: int, count: int = 1) -> httpx.Response:
    body = {"offset": offset, "steps": [[1, 2]] * count, "logits": True}
    return client.post(f"/streams/{stream}/steps", json=body)


def test_open_advance_look_and_delete(client: httpx.Client) -> None:
    opened = client.post("/streams", json={"model": "toy"})
    info = opened.json()
    stream = info["stream"]
    assert opened.status_code == 201
    assert opened.headers["location"] == f"/streams/{stream}"
    assert (info["position"], info["survives"]) == (0, "connection")
    answer = steps(client, stream, 0, 3)
    assert (answer.status_code, answer.json()["logits"]) == (200, [3, 6, 3])
    assert steps(client, stream, 0, 3).json() == answer.json()
    assert client.get(f"/streams/{stream}").json() == info | {
        "position": 3,
        "durable": 3,
    }
    assert client.delete(f"/streams/{stream}").status_code == 204
    for gone in (
        client.get(f"/streams/{stream}"),
        client.delete(f"/streams/{stream}"),
        steps(client, stream, 3),
    ):
        assert (gone.status_code, gone.json()["code"]) == (410, "expired")


def test_an_empty_body_opens_the_default_model(client: httpx.Client) -> None:
    assert client.post("/streams").json()["model"] == "toy"


def test_an_idempotency_key_opens_one_stream(client: httpx.Client) -> None:
    key = {"Idempotency-Key": "once"}
    first, again = (client.post("/streams", headers=key).json() for _ in range(2))
    assert first == again
    assert client.post("/streams").json()["stream"] != first["stream"]


def test_a_key_is_for_the_version_that_was_named(own_models: Path) -> None:
    """Who names none takes the stream on whichever it runs."""
    toy.publish(own_models, version=2)
    with (
        live.running(models=own_models, model="toy", versions=2) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):

        def opened(key: str, **body: int) -> httpx.Response:
            return client.post("/streams", json=body, headers={"Idempotency-Key": key})

        first = opened("one", version=1).json()
        assert first["version"] == 1
        for body in ({"version": 1}, {}):
            assert opened("one", **body).json() == first
        assert opened("none").json()["version"] == 2
        assert opened("none", version=2).status_code == 201
        for key, version in (("one", 2), ("none", 1)):
            refused = opened(key, version=version)
            assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
            assert f"runs on version {3 - version};" in refused.json()["detail"]
        fork = f"/streams/{first['stream']}/fork"
        forked = client.post(fork, headers={"Idempotency-Key": "fork"}).json()
        assert forked["version"] == 1
        for version in (1, 2):
            assert opened("fork", version=version).status_code == 409
        assert client.post(fork, headers={"Idempotency-Key": "fork"}).json() == forked


def test_every_and_gap(client: httpx.Client) -> None:
    stream = client.post("/streams").json()["stream"]
    body = {"offset": 0, "steps": [[1, 0], [1, 0]], "emit": "every"}
    every = client.post(f"/streams/{stream}/steps", json=body).json()
    assert len(every["predictions"]) == 2
    gap = steps(client, stream, 7)
    assert (gap.status_code, gap.json()["code"], gap.json()["expected_offset"]) == (409, "gap", 2)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ('{"offset": 0, "steps": [[1', 422, "bad_json"),
        ('{"offset": 0}', 422, "bad_message"),
        ('{"offset": 0, "steps": []}', 422, "empty_chunk"),
        ('{"offset": 0, "steps": [[1]]}', 422, "bad_shape"),
        ('{"offset": 0, "steps": [[1, NaN]]}', 422, "bad_value"),
        ('{"offset": 0, "steps": [' + "[1,2]," * 1024 + "[1,2]]}", 413, "too_large"),
    ],
)
def test_bad_input_leaves_the_stream_where_it_was(
    client: httpx.Client, body: str, status: int, code: str
) -> None:
    stream = client.post("/streams").json()["stream"]
    steps(client, stream, 0)
    answer = client.post(f"/streams/{stream}/steps", content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert client.get(f"/streams/{stream}").json()["position"] == 1


def test_an_unknown_stream_is_a_404(client: httpx.Client) -> None:
    for answer in (client.get("/streams/made-up"), steps(client, "f" * 48, 0)):
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown")


def test_a_stream_opened_over_http_goes_on_by_websocket(toy_url: str, client: httpx.Client) -> None:
    stream = client.post("/streams").json()["stream"]
    steps(client, stream, 0)
    with connect(f"{live.websocket_url(toy_url)}?stream={stream}") as socket:
        talk = Talk(socket)
        assert talk.hear()["position"] == 1
        assert talk.chunk(1, [[1, 2]], logits=True)["logits"] == [2, 4, 2]
        client.delete(f"/streams/{stream}")
        assert talk.hear()["code"] == "expired"
        assert talk.close_code() == 4410


def test_the_limit_of_open_streams_is_a_503_with_retry_after(toy_models: Path) -> None:
    with (
        live.running(models=toy_models, model="toy", max_streams=2) as url,
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        first = client.post("/streams").json()["stream"]
        client.post("/streams")
        full = client.post("/streams")
        assert (full.status_code, full.json()["code"]) == (503, "full")
        assert int(full.headers["retry-after"]) > 0
        with connect(live.websocket_url(url)) as socket:
            talk = Talk(socket)
            assert talk.hear()["code"] == "full"
            assert talk.close_code() == 4503
        client.delete(f"/streams/{first}")
        assert client.post("/streams").status_code == 201


def test_an_idle_stream_expires_and_its_connection_is_told(toy_models: Path) -> None:
    with (
        live.running(models=toy_models, model="toy", idle_timeout=0.2) as url,
        connect(live.websocket_url(url)) as socket,
    ):
        talk = Talk(socket)
        stream = talk.hear()["stream"]
        assert talk.hear()["code"] == "expired"
        assert talk.close_code() == 4410
        assert httpx.get(f"{url}/streams/{stream}", timeout=120).status_code == 410


def test_unacknowledged_steps_are_bounded(toy_models: Path) -> None:
    with (
        live.running(models=toy_models, model="toy", max_unacked_steps=4) as url,
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        stream = client.post("/streams").json()["stream"]
        body = {"offset": 0, "steps": [[1, 2]] * 3, "acked": 0}
        assert client.post(f"/streams/{stream}/steps", json=body).status_code == 200
        body = {"offset": 3, "steps": [[1, 2]] * 2, "acked": 0}
        ahead = client.post(f"/streams/{stream}/steps", json=body)
        assert (ahead.status_code, ahead.json()["code"]) == (429, "backpressure")
        assert ahead.headers["retry-after"]
        assert client.post(f"/streams/{stream}/steps", json=body | {"acked": 3}).status_code == 200
