"""Which web pages may use the service: browsers name the page that asks by its origin (RFC 6454).

The only place that knows of CORS: what a browser is told, by every endpoint.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from larnn_service.admission.authority import Authority, authority, pattern, patterns
from larnn_service.errors import Forbidden, StartupError
from larnn_service.settings import entries
from larnn_service.wire.http import Head, Headers

_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(\S+)", re.I | re.A)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_EXPOSED = (
    b"Location, Retry-After, X-Request-Id, Inference-Header-Content-Length, Larnn-Model, "
    b"Larnn-Version, Larnn-Position, Larnn-Durable"
)
"""Response headers that a page of another origin may read."""
PREFLIGHT: Headers = (
    (b"access-control-allow-methods", b"GET, POST, PUT, DELETE"),
    (
        b"access-control-allow-headers",
        b"Authorization, Content-Type, Idempotency-Key, Inference-Header-Content-Length, "
        b"Traceparent, Tracestate, X-Request-Id",
    ),
    (b"access-control-max-age", b"600"),
)
"""What a browser is told that asks whether a page may send a request, beside `response_headers`."""


class _Origin(NamedTuple):
    scheme: str
    name: str
    port: int | None


class Origins:
    """The origins of LARNN_ALLOWED_ORIGINS. Pages of the service itself always may."""

    def __init__(self, setting: str) -> None:
        """`setting`: `https://host[:port],…`, or `*`; `https://*.host` is every host below it, the
        scheme may be an app's. Raises StartupError."""
        named = entries(setting)
        self._any = "*" in named
        self._allowed = {_checked(origin) for origin in named if origin != "*"}
        self._vary: Headers = ((b"vary", b"Origin"),) if named and not self._any else ()

    def check(self, head: Head) -> None:
        """Raises Forbidden where a page of an origin asks that may not."""
        text = head.headers.get("origin")
        if text is None or self._is_allowed(text) or _is_own(text, head.headers.get("host", "")):
            return
        raise Forbidden(
            "pages of this origin may not use the service; add it to LARNN_ALLOWED_ORIGINS"
        )

    def response_headers(self, head: Head) -> Headers:
        """What lets a page of another origin read the response."""
        origin = head.headers.get("origin")
        if origin is None or not self._is_allowed(origin):
            return self._vary
        return (
            (b"access-control-allow-origin", b"*" if self._any else origin.encode()),
            (b"access-control-expose-headers", _EXPOSED),
            *self._vary,
        )

    def is_preflight(self, head: Head) -> bool:
        """Whether a browser asks, for a page of an origin that may, what the page may send."""
        return (
            head.method == "OPTIONS"
            and "access-control-request-method" in head.headers
            and self._is_allowed(head.headers.get("origin", ""))
        )

    def _is_allowed(self, text: str) -> bool:
        if self._any:
            return True
        origin = _origin(text)
        return origin is not None and any(
            origin._replace(name=name) in self._allowed for name in patterns(origin.name)
        )


def _is_own(text: str, host: str) -> bool:
    """Whether the page of this origin is the service's: its host and port are those asked for."""
    origin, asked = _origin(text), authority(host)
    if origin is None or asked is None or (port := _DEFAULT_PORTS.get(origin.scheme)) is None:
        return False
    return (origin.name, origin.port) == (asked.name, asked.port or port)


def _origin(text: str) -> _Origin | None:
    match = _ORIGIN.fullmatch(text)
    return None if match is None else _joined(match[1].lower(), authority(match[2]))


def _joined(scheme: str, named: Authority | None) -> _Origin | None:
    if named is None:
        return None
    return _Origin(scheme, named.name, named.port or _DEFAULT_PORTS.get(scheme))


def _checked(text: str) -> _Origin:
    match = _ORIGIN.fullmatch(text)
    origin = None if match is None else _joined(match[1].lower(), pattern(match[2]))
    if origin is None:
        raise StartupError(
            f"LARNN_ALLOWED_ORIGINS: {text!r} is no origin; write https://host, "
            "https://host:port, https://*.host for every host below it, an app's as "
            "capacitor://localhost, or * for any"
        )
    return origin
