"""Node, with the packages that a model at the edge runs on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.node import Driver, driver, packages


@pytest.fixture(scope="module")
def node() -> Iterator[Driver]:
    packages()
    with driver() as started:
        yield started
