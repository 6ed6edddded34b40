"""Waiting for a container's service."""

from __future__ import annotations

import time

import httpx

from tests.deploy.compose import Compose


def wait_until_ready(url: str, compose: Compose) -> None:
    """Until the service behind this base URL says that it is ready."""
    deadline = time.monotonic() + 600
    while not _ready(url):
        assert time.monotonic() < deadline, compose("logs")
        time.sleep(0.1)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=10).status_code == 200
    except httpx.TransportError:
        return False
