"""A browser's words are not believed: Host, redirects, origins, at every door of the service."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from tests import live
from tests.server.raw import (
    GOOD,
    answers,
    connected,
    first_logit,
    request,
    until_closed,
    with_logits,
)
from tests.server.test_access import KEYS, PHONE, bearer
from tests.server.test_stream import Talk

REBOUND = "rebound.example:8000"
DOORS = [
    ("GET", "/"),
    ("GET", "/docs"),
    ("GET", "/web/app.js"),
    ("GET", "/openapi.json"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/models"),
    ("POST", "/classify"),
    ("GET", "/classify"),
    ("POST", "/streams"),
    ("DELETE", "/streams/made-up"),
    ("POST", "/streams/made-up/steps"),
    ("POST", "/models/toy/unload"),
    ("GET", "/v2"),
    ("GET", "/v2/health/live"),
    ("POST", "/v2/models/toy/infer"),
    ("POST", "/v2/repository/models/toy/unload"),
    ("OPTIONS", "/classify"),
    ("GET", "/no-such-door"),
]


def asked_by(url: str, host: str, origin: str | None = None) -> dict[str, object]:
    """What a websocket's client hears first, asking the service at the URL by this name."""
    address = urlsplit(url)
    assert address.hostname is not None
    own = socket.create_connection((address.hostname, address.port or 80), 60)
    named = None if origin is None else Origin(origin)
    with connect(f"ws://{host}/stream", sock=own, origin=named) as websocket:
        talk = Talk(websocket)
        told: dict[str, object] = talk.hear()
        if told["type"] == "error":
            told["close"] = talk.close_code()
        return told


@pytest.mark.parametrize(("method", "path"), DOORS)
def test_no_door_opens_to_a_page_that_has_made_its_name_lead_here(
    client: httpx.Client, method: str, path: str
) -> None:
    headers = {
        "Host": REBOUND,
        "Origin": f"http://{REBOUND}",
        "Access-Control-Request-Method": "POST",
    }
    answer = client.request(method, path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "LARNN_ALLOWED_HOSTS" in answer.text and "rebound" not in answer.text
    assert "access-control-allow-origin" not in answer.headers


def test_nor_does_a_websocket(toy_url: str) -> None:
    told = asked_by(toy_url, REBOUND, f"http://{REBOUND}")
    assert (told["code"], told["close"]) == ("forbidden", 4403)
    assert "LARNN_ALLOWED_HOSTS" in str(told["detail"])
    for host in ("localhost:8000", "larnn.localhost", "[::1]:8000"):
        assert asked_by(toy_url, host, f"http://{host}")["type"] == "opened"


def test_names_of_the_setting_open_every_door_to_their_pages(toy_models: Path) -> None:
    settings = {"models": toy_models, "model": "toy", "allowed_hosts": "rebound.example"}
    with live.running(**settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        headers = {"Host": REBOUND, "Origin": f"http://{REBOUND}"}
        for method, path, status in (
            ("POST", "/classify", 200),
            ("GET", "/models", 200),
            ("GET", "/healthz", 200),
            ("POST", "/models/toy/load", 200),
        ):
            content = GOOD if path == "/classify" else None
            answer = client.request(method, path, headers=headers, content=content)
            assert answer.status_code == status, answer.text
        assert asked_by(url, REBOUND, f"http://{REBOUND}")["type"] == "opened"
        assert asked_by(url, "other.example")["code"] == "forbidden"


def test_where_keys_are_set_any_name_may_ask_and_needs_one(toy_models: Path) -> None:
    """A proxy in front sends its own name; a page that has made its name lead here has no key."""
    with live.running(models=toy_models, model="toy", api_keys=KEYS) as url:
        headers = {"Host": REBOUND, "Origin": f"http://{REBOUND}"}
        assert httpx.get(f"{url}/readyz", headers=headers).status_code == 200
        assert httpx.get(f"{url}/models", headers=headers).status_code == 401
        assert httpx.get(f"{url}/models", headers=headers | bearer(PHONE)).status_code == 200
        assert asked_by(url, REBOUND)["code"] == "unauthorized"


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ("Host: localhost", "Host: localhost"),
        ("Host: localhost", "X: y", "host: rebound.example"),
        ("Host: rebound.example", "Host: localhost"),
        ("Host:", "Host: localhost"),
    ],
    ids=["none", "same", "other", "first", "empty"],
)
@pytest.mark.parametrize(
    ("method", "path", "more"),
    [
        ("GET", "/healthz", ()),
        ("POST", "/classify", ()),
        ("POST", "/classify", ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c")),
        ("GET", "/stream", ("Connection: Upgrade", "Upgrade: websocket")),
    ],
    ids=["framework", "endpoint", "h2c", "websocket"],
)
def test_a_request_names_its_host_once(
    client: httpx.Client, headers: tuple[str, ...], method: str, path: str, more: tuple[str, ...]
) -> None:
    """RFC 9112, 3.2. What was asked before is answered; nothing behind it is."""
    lines = [f"{method} {path} HTTP/1.1", *headers, *more, "Content-Length: 24", "", ""]
    bad = "\r\n".join(lines).encode() + GOOD
    for before in (b"", request(with_logits(7))):
        with connected(client) as own:
            own.sendall(before + bad + request(with_logits(8)))
            told = until_closed(own)
        last = told[told.rindex(b"HTTP/1.1 ") :]
        assert last.startswith(b"HTTP/1.1 400 Bad Request\r\n"), told
        assert told.count(b"HTTP/1.1 ") == (2 if before else 1)


def test_http_1_0_needs_no_host(client: httpx.Client) -> None:
    with connected(client) as own:
        own.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert until_closed(own).startswith(b"HTTP/1.1 200 OK\r\n")
    with connected(client) as own:
        own.sendall(b"GET /healthz HTTP/1.0\r\nHost: localhost\r\nHost: localhost\r\n\r\n")
        assert until_closed(own).startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize("line", ["POST  /classify HTTP/1.1", "POST /classify  HTTP/1.1"])
def test_spaces_in_a_request_line_say_nothing_else(client: httpx.Client, line: str) -> None:
    """A server may take them as one (RFC 9112, 3): the request is the one it looks like."""
    with connected(client) as own:
        whole = request(with_logits(7)) * 2
        own.sendall(whole.replace(b"POST /classify HTTP/1.1", line.encode(), 1))
        assert [first_logit(body) for body in answers(own, 2)] == [7, 7]


@pytest.mark.parametrize(
    "path",
    ["/models/", "/streams/", "/classify/", "/healthz/", "/web", "/docs/", "/v2/", "/redoc", "//"],
)
@pytest.mark.parametrize("host", ["localhost", "rebound.example"])
def test_nothing_redirects(toy_url: str, path: str, host: str) -> None:
    """An address that no door has is none, also with a slash: a redirect would repeat the Host."""
    answer = httpx.request("GET", f"{toy_url}{path}", headers={"Host": host})
    assert answer.status_code == (404 if host == "localhost" else 403)
    assert "location" not in answer.headers
    assert "rebound" not in answer.text


def test_no_answer_repeats_a_host(toy_models: Path) -> None:
    with live.running(models=toy_models, model="toy", allowed_hosts="*") as url:
        for method, path in DOORS:
            for host in (REBOUND, "rebound.example/classify?"):
                answer = httpx.request(method, f"{url}{path}", headers={"Host": host}, timeout=60)
                assert "rebound" not in answer.text + str(answer.headers), path


@pytest.mark.parametrize(
    ("setting", "origin", "allowed"),
    [
        ("https://App.Example:443", "https://app.example", True),
        ("https://*.app.example", "https://b.a.app.example", True),
        ("https://*.app.example", "https://app.example", False),
        ("capacitor://localhost", "capacitor://localhost", True),
        ("*", "https://any.example", True),
        ("https://app.example", "https://evil.example", False),
    ],
)
def test_every_door_tells_a_browser_the_same_of_an_origin(
    toy_models: Path, setting: str, origin: str, allowed: bool
) -> None:
    """One reached before the framework, one in it, one that refuses, a preflight, a websocket."""
    settings = {"models": toy_models, "model": "toy", "allowed_origins": setting}
    with live.running(**settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        asks = {"Origin": origin}
        preflight = asks | {"Access-Control-Request-Method": "PUT"}
        told = [
            (client.post("/classify", content=GOOD, headers=asks), 200),
            (client.get("/models", headers=asks), 200),
            (client.get("/streams/made-up", headers=asks), 404),
            (client.post("/classify", content=b"{", headers=asks), 422),
            (client.options("/classify", headers=preflight), 204),
            (client.options("/streams/made-up/state", headers=preflight), 204),
        ]
        named = "*" if setting == "*" else origin
        for answer, status in told:
            assert answer.status_code == (status if allowed else 403), answer.text
            found = answer.headers.get("access-control-allow-origin")
            assert found == (named if allowed else None)
            assert answer.headers.get("vary") == (None if setting == "*" else "Origin")
            exposed = answer.headers.get("access-control-expose-headers", "")
            assert ("Retry-After" in exposed) == allowed
        if allowed:
            assert "PUT" in told[4][0].headers["access-control-allow-methods"]
            assert "Idempotency-Key" in told[4][0].headers["access-control-allow-headers"]
        heard = asked_by(url, urlsplit(url).netloc, origin)
        assert heard["type"] == ("opened" if allowed else "error")


def test_a_host_is_read_from_the_request_that_came(client: httpx.Client) -> None:
    """Not from a connection's first one, nor from an address in the request line."""
    with connected(client) as own:
        own.sendall(request(GOOD))
        assert json.loads(answers(own, 1)[0])["model"] == "toy"
        own.sendall(request(GOOD).replace(b"Host: localhost", b"Host: rebound.example"))
        assert json.loads(answers(own, 1)[0])["code"] == "forbidden"
        own.sendall(
            request(GOOD, path="http://localhost/classify").replace(
                b"Host: localhost", b"Host: rebound.example"
            )
        )
        assert json.loads(answers(own, 1)[0])["code"] == "forbidden"
