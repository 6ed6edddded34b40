"""Which pages may use the service, and what their browsers are told."""

from __future__ import annotations

import pytest

from larnn_service.admission.origins import Origins
from larnn_service.errors import Forbidden, StartupError
from larnn_service.wire.http import Head

ALLOWED = b"access-control-allow-origin"
VARY = (b"vary", b"Origin")


def head(origin: str | None, host: str = "here.example", method: str = "POST", **more: str) -> Head:
    named = {} if origin is None else {"origin": origin}
    return Head(method, "/classify", "", {"host": host} | named | more)


def may(origins: Origins, asks: Head) -> bool:
    try:
        origins.check(asks)
    except Forbidden:
        return False
    return True


@pytest.mark.parametrize(
    ("setting", "origin"),
    [
        ("https://app.example", "https://app.example"),
        ("https://App.Example:443", "https://app.example"),
        ("https://app.example", "HTTPS://APP.example:443"),
        ("http://app.example:80", "http://app.example"),
        ("http://app.example:3000", "http://app.example:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("ionic://localhost", "ionic://localhost"),
        ("tauri://localhost", "tauri://localhost"),
        ("https://tauri.localhost", "https://tauri.localhost"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ("https://*.app.example", "https://a.app.example"),
        ("https://*.App.example:443", "https://b.a.app.example"),
        ("https://*.app.example:8443", "https://a.app.example:8443"),
        ("https://other.example, https://app.example", "https://app.example"),
        ("*", "https://app.example"),
        ("*", "null"),
    ],
)
def test_a_page_of_an_allowed_origin_may_and_its_browser_is_told(setting: str, origin: str) -> None:
    origins = Origins(setting)
    assert may(origins, head(origin))
    told = dict(origins.response_headers(head(origin)))
    assert told[ALLOWED] == (b"*" if setting == "*" else origin.encode())
    assert origins.is_preflight(
        head(origin, method="OPTIONS", **{"access-control-request-method": "POST"})
    )


@pytest.mark.parametrize(
    ("setting", "origin"),
    [
        ("https://app.example", "http://app.example"),
        ("https://app.example", "https://app.example:8443"),
        ("https://app.example:80", "https://app.example"),
        ("https://app.example", "https://a.app.example"),
        ("https://app.example", "https://app.example.evil"),
        ("https://app.example", "https://app.example/page"),
        ("https://app.example", "https://user@app.example"),
        ("https://app.example", "null"),
        ("https://app.example", ""),
        ("https://*.app.example", "https://app.example"),
        ("https://*.app.example", "https://xapp.example"),
        ("https://*.app.example", "https://.app.example"),
        ("https://*.app.example", "https://*.app.example"),
        ("https://*.app.example", "http://a.app.example"),
        ("https://*.app.example", "https://a.app.example:8443"),
        ("https://*.app.example", "https://a.app.example.evil"),
        ("https://*.app.example", "https://" + "a." * 40_000 + "app.example"),
        ("capacitor://localhost", "ionic://localhost"),
        ("capacitor://localhost", "capacitor://evil"),
        ("capacitor://localhost", "http://localhost"),
    ],
    ids=lambda text: text[:40],
)
def test_a_page_of_any_other_may_not_and_its_browser_is_not_told(setting: str, origin: str) -> None:
    origins = Origins(setting)
    assert not may(origins, head(origin))
    assert origins.response_headers(head(origin)) == (VARY,)
    assert not origins.is_preflight(
        head(origin, method="OPTIONS", **{"access-control-request-method": "POST"})
    )


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        ("http://localhost:8000", "localhost:8000", True),
        ("http://localhost", "LOCALHOST:80", True),
        ("https://here.example", "here.example", True),
        ("https://here.example", "here.example:443", True),
        ("https://here.example:443", "here.example", True),
        ("https://here.example", "here.example:80", False),
        ("http://here.example", "here.example:443", False),
        ("http://localhost:3000", "localhost:8000", False),
        ("http://localhost", "localhost:8000", False),
        ("capacitor://localhost", "localhost", False),
        ("https://evil.example", "here.example", False),
        ("null", "null", False),
        ("null", "", False),
        ("http://", "", False),
    ],
)
def test_a_page_is_the_services_own_where_host_and_port_are_those_asked_for(
    origin: str, host: str, own: bool
) -> None:
    assert may(Origins(""), head(origin, host)) == own


def test_who_names_no_origin_is_no_page() -> None:
    for setting, told in (("", ()), ("https://app.example", (VARY,)), ("*", ())):
        assert may(Origins(setting), head(None))
        assert Origins(setting).response_headers(head(None)) == told


@pytest.mark.parametrize(
    "origin",
    [
        "app.example",
        "https://app.example/page",
        "https://app.example/",
        "*.example",
        "https://",
        "https://*",
        "https://*.",
        "https://a.*.example",
        "https://*a.example",
        "https://user@app.example",
        "https://app.example:port",
        "null",
        "file://",
    ],
)
def test_what_is_no_origin_is_refused_at_start(origin: str) -> None:
    with pytest.raises(StartupError, match="LARNN_ALLOWED_ORIGINS: .*is no origin"):
        Origins(f"https://app.example,{origin}")
