"""Who may come in: keys, owners, origins, against the running service."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from larnn_client import Client, Forbidden, Unauthorized, Unknown
from tests import live
from tests.server.test_stream import Talk

PHONE, OLD_PHONE, TABLET = "phone-secret-1", "phone-secret-0", "tablet-secret"
PAGE = "https://app.example"


def entry(name: str, key: str) -> str:
    return f"{name}:{hashlib.sha256(key.encode()).hexdigest()}"


KEYS = ",".join([entry("phone", PHONE), entry("phone", OLD_PHONE), entry("tablet", TABLET)])


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture(scope="module")
def guarded(toy_models: Path) -> Iterator[str]:
    """A service with keys for a phone, two of them, and a tablet."""
    with live.running(models=toy_models, model="toy", api_keys=KEYS, allowed_origins=PAGE) as url:
        yield url


DOORS = [
    ("POST", "/classify"),
    ("GET", "/models"),
    ("POST", "/streams"),
    ("GET", "/streams/made-up"),
    ("DELETE", "/streams/made-up"),
    ("POST", "/streams/made-up/steps"),
    ("GET", "/no-such-door"),
]


@pytest.mark.parametrize(("method", "path"), DOORS)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("another"),
        bearer(PHONE + "x"),
        bearer(entry("phone", PHONE).partition(":")[2]),
        {"Authorization": f"Basic {PHONE}"},
        {"Authorization": PHONE},
        {"Host": "x/healthz?"},
    ],
)
def test_no_door_opens_without_a_key(
    guarded: str, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = httpx.request(method, guarded + path, headers=headers, timeout=60)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert PHONE not in answer.text


def test_health_and_the_description_need_no_key(guarded: str) -> None:
    for path in ("/healthz", "/readyz", "/openapi.json", "/docs"):
        assert httpx.get(guarded + path, timeout=60).status_code == 200


def test_a_websocket_without_a_key_is_told_and_closed(guarded: str) -> None:
    for headers in ({}, bearer("another")):
        with connect(live.websocket_url(guarded), additional_headers=headers) as socket:
            talk = Talk(socket)
            assert talk.hear()["code"] == "unauthorized"
            assert talk.close_code() == 4401


def test_the_client_sends_its_key(guarded: str) -> None:
    with Client(guarded, key=PHONE) as client:
        assert client.classify([[[1, 2]]]).model == "toy"
        with client.stream() as stream:
            stream.send([[1, 2]])
            assert stream.receive().position == 1
        assert PHONE not in repr(client._client._service)
    with Client(guarded, key="another") as client:
        with pytest.raises(Unauthorized, match="operator"):
            client.classify([[[1, 2]]])
        with pytest.raises(Unauthorized, match="operator"), client.stream():
            pass
    with pytest.raises(ValueError, match="characters") as refused:
        Client(guarded, key="line\nbreak")
    assert "line" not in str(refused.value)


def test_a_stream_belongs_to_whoever_opened_it(guarded: str) -> None:
    with (
        Client(guarded, key=PHONE) as phone,
        Client(guarded, key=OLD_PHONE) as same_owner,
        Client(guarded, key=TABLET) as tablet,
        phone.stream() as stream,
    ):
        stream.send([[1, 2]])
        stream.receive()
        stream.close()
        with pytest.raises(Unknown), tablet.stream(resume=stream.id):
            pass
        with same_owner.stream(resume=stream.id) as again:
            assert again.position == 1


def test_another_owner_learns_nothing_of_a_stream(guarded: str) -> None:
    opened = httpx.post(f"{guarded}/streams", headers=bearer(PHONE), timeout=60).json()
    stream, tablet = opened["stream"], bearer(TABLET)

    def ask(method: str, path: str) -> httpx.Response:
        body = {"offset": 0, "steps": [[1, 2]]}
        content = json.dumps(body) if method == "POST" else None
        return httpx.request(method, guarded + path, headers=tablet, content=content, timeout=60)

    for method, door in (("GET", ""), ("DELETE", ""), ("POST", "/steps"), ("GET", "/nothing")):
        theirs = ask(method, f"/streams/{stream}{door}")
        assert theirs.status_code == 404
        if door != "/nothing":
            assert theirs.json() == ask(method, f"/streams/{'f' * 64}{door}").json()
    assert httpx.get(f"{guarded}/streams/{stream}", headers=bearer(PHONE)).json() == opened
    assert httpx.delete(f"{guarded}/streams/{stream}", headers=bearer(PHONE)).status_code == 204
    gone = httpx.get(f"{guarded}/streams/{stream}", headers=bearer(OLD_PHONE))
    assert (gone.status_code, gone.json()["code"]) == (410, "expired")
    assert ask("GET", f"/streams/{stream}").json()["code"] == "unknown"


def test_an_idempotency_key_is_its_owners(guarded: str) -> None:
    def open_stream(key: str) -> str:
        headers = bearer(key) | {"Idempotency-Key": "once"}
        answer = httpx.post(f"{guarded}/streams", headers=headers, timeout=60)
        return str(answer.json()["stream"])

    assert open_stream(PHONE) == open_stream(OLD_PHONE) != open_stream(TABLET)


def test_a_browser_offers_its_key_as_a_subprotocol(guarded: str) -> None:
    """The page of an allowed origin; the answer never repeats the key."""
    offered = [Subprotocol("larnn.json.v1"), Subprotocol(f"larnn.key.{PHONE}")]
    address = live.websocket_url(guarded)
    with connect(address, subprotocols=offered, origin=Origin(PAGE)) as socket:
        assert socket.subprotocol == "larnn.json.v1"
        talk = Talk(socket)
        talk.hear()
        assert talk.chunk(0, [[1, 2]])["position"] == 1
    offered = [Subprotocol("larnn.f32.v1"), Subprotocol("larnn.key.another")]
    with connect(address, subprotocols=offered) as socket:
        assert Talk(socket).hear()["code"] == "unauthorized"
    offered = [Subprotocol(f"larnn.key.{PHONE}")]
    with connect(address, subprotocols=offered) as socket:
        assert socket.subprotocol is None
        assert Talk(socket).hear()["type"] == "opened"


def test_pages_of_other_origins_are_kept_out(toy_url: str) -> None:
    host = toy_url.removeprefix("http://")
    for origin in ("https://evil.example", "null", f"https://evil.example/{host}"):
        answer = httpx.post(f"{toy_url}/streams", headers={"Origin": origin}, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        with connect(live.websocket_url(toy_url), origin=Origin(origin)) as socket:
            talk = Talk(socket)
            assert talk.hear()["code"] == "forbidden"
            assert talk.close_code() == 4403
    own = {"Origin": toy_url}
    assert httpx.post(f"{toy_url}/streams", headers=own, timeout=60).status_code == 201
    with connect(live.websocket_url(toy_url), origin=Origin(toy_url)) as socket:
        assert Talk(socket).hear()["type"] == "opened"


@pytest.mark.parametrize("path", ["/classify", "/classify?units=mg&axes=xyz&sample_rate_hz=50"])
def test_pages_of_allowed_origins_may_ask(guarded: str, path: str) -> None:
    preflight = httpx.options(
        f"{guarded}{path}",
        headers={
            "Origin": PAGE,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
        timeout=60,
    )
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == PAGE
    headers = bearer(PHONE) | {"Origin": PAGE}
    answer = httpx.post(f"{guarded}/streams", headers=headers, timeout=60)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (201, PAGE)
    refused = httpx.post(f"{guarded}/streams", headers={"Origin": PAGE}, timeout=60)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, PAGE)


def test_a_forbidden_page_is_told_by_the_client(toy_models: Path) -> None:
    with live.running(models=toy_models, model="toy") as url, Client(url) as client:
        client._client._http.headers["Origin"] = PAGE
        with pytest.raises(Forbidden, match="LARNN_ALLOWED_ORIGINS"):
            client.classify([[[1, 2]]])


def test_no_key_and_no_stream_id_is_logged(
    toy_models: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the most talkative level, with a failure on the way."""

    def fail(*_: object) -> None:
        raise RuntimeError("made to fail")

    for name in ("httpx", "httpcore"):  # they are the caller's side, and name what it asks for
        caplog.set_level(logging.ERROR, name)
    caplog.set_level(logging.DEBUG)
    with live.running(
        models=toy_models, model="toy", api_keys=KEYS, log_level="debug", secret="signing-secret"
    ) as url:
        with Client(url, key=PHONE) as client, client.stream() as stream:
            stream.send([[1, 2]])
            stream.receive()
            stream.close()
        httpx.get(f"{url}/streams/{stream.id}", headers=bearer("guessed-key"), timeout=60)
        monkeypatch.setattr("larnn_service.wire.stream_steps.chunk_steps", fail)
        failed = httpx.post(
            f"{url}/streams/{stream.id}/steps",
            headers=bearer(PHONE),
            json={"offset": 1, "steps": [[1, 2]]},
            timeout=60,
        )
    assert (failed.status_code, failed.json()["code"]) == (500, "internal")
    assert "/streams/{stream_id}/steps failed" in caplog.text
    assert "Started server process" in caplog.text
    for secret in (PHONE, "guessed-key", "signing-secret", stream.id, KEYS[6:30]):
        assert secret not in caplog.text
        assert secret not in failed.text


def test_a_key_at_its_limit_is_refused_and_others_are_not(toy_models: Path) -> None:
    settings = {"models": toy_models, "model": "toy", "api_keys": KEYS, "max_at_work_per_key": 2}
    with live.running(**settings) as url:
        address = live.websocket_url(url)
        body = {"sequences": [[[1, 2]]]}
        with (
            connect(address, additional_headers=bearer(PHONE)) as first,
            connect(address, additional_headers=bearer(OLD_PHONE)) as second,
        ):
            assert {Talk(each).hear()["type"] for each in (first, second)} == {"opened"}
            answer = httpx.post(f"{url}/classify", json=body, headers=bearer(PHONE), timeout=60)
            assert (answer.status_code, answer.json()["code"]) == (503, "full")
            assert answer.headers["retry-after"] == "1" and "this key has 2" in answer.text
            with connect(address, additional_headers=bearer(PHONE)) as third:
                talk = Talk(third)
                assert (talk.hear()["code"], talk.close_code()) == ("full", 4503)
            other = httpx.post(f"{url}/classify", json=body, headers=bearer(TABLET), timeout=60)
            assert other.status_code == 200
            first.send(json.dumps({"type": "end"}))
            assert Talk(first).hear()["type"] == "ended"
            assert Talk(first).close_code() == 1000
        with Client(url, key=PHONE) as client:
            assert client.classify([[[1, 2]]]).predictions[0].label == "RIGHT"
