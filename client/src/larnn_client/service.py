"""Where the service is and how to speak to it: addresses, key, TLS."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field

from larnn_client.errors import LarnnError


@dataclass(frozen=True)
class Service:
    """Addresses like `https://host:8000`, in the order in which to try them."""

    addresses: Sequence[str]
    key: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    retry_for: float = 60.0
    """Seconds without any success after which to give up."""
    connect_timeout: float = 10.0
    """Seconds that connecting to one address may take."""
    keepalive: float = 20.0
    """Seconds between pings of a stream's connection, and for their answers."""

    def __post_init__(self) -> None:
        if not self.addresses:
            raise ValueError("give at least one address, like http://localhost:8000")
        for address in self.addresses:
            if not address.startswith(("http://", "https://")):
                raise ValueError(f"{address!r} is no address; write http://… or https://…")
        if self.key is not None and not (self.key.isascii() and self.key.isprintable()):
            raise ValueError("the key has characters that no header can carry")

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.key is None else {"Authorization": f"Bearer {self.key}"}

    def url(self, index: int, path: str) -> str:
        """A path at the address of that index; the addresses repeat."""
        return self.addresses[index % len(self.addresses)].rstrip("/") + path


def wait_at_least(error: Exception) -> float:
    """The seconds for which the service asked to be left alone."""
    return getattr(error, "retry_after", None) or 0.0


def reason(error: Exception) -> str:
    """An error in one line, without what it may have quoted of a request's headers."""
    if isinstance(error, LarnnError | OSError) and str(error):
        return str(error)
    return type(error).__name__
