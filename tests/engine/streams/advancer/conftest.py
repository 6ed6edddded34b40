"""Replicas for the tests of chunks; they are closed at the end."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable

import pytest

from larnn_service.engine.store.memory import MemoryStore
from tests.engine.replicas import FarStore
from tests.engine.streams.advancer.replica import Replica


@pytest.fixture
async def make() -> AsyncIterator[Callable[..., Replica]]:
    replicas: list[Replica] = []

    def replica(store: MemoryStore | None = None, timeout: float = math.inf) -> Replica:
        replicas.append(Replica(store or MemoryStore(), timeout))
        return replicas[-1]

    yield replica
    for one in replicas:
        one.backend.gate.set()
        one.engine.close()


@pytest.fixture
def replica(make: Callable[..., Replica]) -> Replica:
    return make()


@pytest.fixture
def far(make: Callable[..., Replica], store: FarStore) -> Replica:
    """A replica over a store that others share."""
    return make(store)
