"""Which web pages may use the service: browsers name the page that asks by its origin."""

from __future__ import annotations

import re

from larnn_service.errors import Forbidden, StartupError
from larnn_service.wire.http import Head, Headers

_ORIGIN = re.compile(r"\*|https?://[^/,\s]+")
EXPOSED = ["Location", "Retry-After"]
"""Response headers that a page of another origin may read."""


class Origins:
    """The origins of LARNN_ALLOWED_ORIGINS. Pages of the service itself always may."""

    def __init__(self, setting: str) -> None:
        """`setting`: `https://host[:port],…`, or `*`. Raises StartupError."""
        self.allowed = [origin.strip() for origin in setting.split(",") if origin.strip()]
        for origin in self.allowed:
            if not _ORIGIN.fullmatch(origin):
                raise StartupError(
                    f"LARNN_ALLOWED_ORIGINS: {origin!r} is no origin; write https://host or "
                    "https://host:port, or * for any"
                )

    def check(self, head: Head) -> None:
        """Raises Forbidden where a page of an origin asks that may not."""
        origin = head.headers.get("origin")
        if origin is None or self._is_allowed(origin):
            return
        if origin.partition("://")[2] != head.headers.get("host"):
            raise Forbidden(
                "pages of this origin may not use the service; add it to LARNN_ALLOWED_ORIGINS"
            )

    def response_headers(self, head: Head) -> Headers:
        """What lets a page of another origin read the response."""
        origin = head.headers.get("origin")
        if origin is None or not self._is_allowed(origin):
            return ()
        return (
            (b"access-control-allow-origin", b"*" if "*" in self.allowed else origin.encode()),
            (b"access-control-expose-headers", ", ".join(EXPOSED).encode()),
            (b"vary", b"Origin"),
        )

    def _is_allowed(self, origin: str) -> bool:
        return "*" in self.allowed or origin in self.allowed
