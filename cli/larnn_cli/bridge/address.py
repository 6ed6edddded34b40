"""Where a broker is, as an option says it."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from larnn_export.data import DataError


def address(text: str, port: int) -> tuple[str, int]:
    """Host and port of `host`, `host:port` or `[IPv6]:port`. Raises DataError."""
    try:
        found = urlsplit(f"//{text.strip()}")
        if found.hostname and found.netloc == text.strip() and "@" not in text:
            return found.hostname, found.port or port
    except ValueError:
        pass
    raise DataError(f"--broker {text!r}: write host:port, without a scheme, a user or a path")


def is_here(host: str) -> bool:
    """Whether what is said to this host stays on this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
