"""A client of the service that a file of tests has started."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    """Of the file's own fixture `url`."""
    with httpx.Client(base_url=url, timeout=120) as client:
        yield client
