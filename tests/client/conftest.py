"""The client library, before the running toy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from larnn_client import Client


@pytest.fixture(scope="module")
def client(toy_url: str) -> Iterator[Client]:
    with Client(toy_url) as client:
        yield client
