"""Engines over a folder of versions, made by the test; a clock and a store that it moves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from larnn_service.backend.model_repository import Repository
from larnn_service.backend.sources.source import Refused
from larnn_service.engine.engine import Engine
from larnn_service.engine.models.registry import at_start
from larnn_service.engine.store.memory import MemoryStore
from larnn_service.engine.streams.places import Places
from larnn_service.engine.streams.registry import Streams
from larnn_service.settings import Settings
from larnn_service.stream_ids import StreamIds
from tests import toy
from tests.engine.replicas import Clock, FarStore
from tests.versions import Replica


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> FarStore:
    return FarStore()


@pytest.fixture
async def replica(tmp_path: Path) -> AsyncIterator[Replica]:
    """Makes engines that serve the folder, which has toy/1; closed at the end."""
    toy.publish(tmp_path)
    engines: list[Engine] = []

    def engine(
        store: MemoryStore | None = None,
        versions: int = 1,
        refresh: Callable[[], Refused] = dict,
    ) -> Engine:
        models = at_start(Repository(tmp_path, "cpu", refresh=refresh), "toy", versions)
        streams = Streams(
            store or MemoryStore(),
            StreamIds("of all"),
            models,
            Places(10),
            idle_timeout=60,
            checkpoint_interval=1e6,
        )
        engines.append(Engine(models, streams, Settings(concurrency=1, versions=versions)))
        return engines[-1]

    yield engine
    for one in engines:
        one.close()
