"""What the edge and the service round, over a few seconds of the recording."""

from __future__ import annotations

from tests.clients import rounding
from tests.clients.node import driver, packages
from tests.clients.test_edge import BOUND


def test_every_runtime_is_near_float64() -> None:
    packages()
    with driver() as node:
        found = rounding.measure(node, 200)
    assert {"the edge", "the service, plain graph"} <= found.keys()
    assert 0 < max(found.values()) < BOUND
