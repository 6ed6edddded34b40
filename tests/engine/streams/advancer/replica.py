"""An engine over sums for the tests of chunks, and what comes of a chunk."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import numpy as np

from larnn_service.chunk import Chunk
from larnn_service.engine.engine import Engine
from larnn_service.engine.store.memory import MemoryStore
from larnn_service.engine.streams.advance import Advanced
from larnn_service.engine.streams.places import Places
from larnn_service.engine.streams.registry import Streams
from larnn_service.engine.streams.stream import Stream
from larnn_service.interfaces import Model
from larnn_service.settings import Settings
from larnn_service.stream_ids import StreamIds
from tests.engine.bench import MANIFEST, Sums
from tests.served import served

WEIGHTS = np.full((1, 1, 2), 0.5, dtype=np.float32)
MOST_UNACKED = 8


class Looks:
    """Attention that notes what it is asked, waits where it is told and fails where it is told."""

    def __init__(self, backend: Sums) -> None:
        self.asked: list[int] = []
        self.error: Exception | None = None
        self._backend = backend

    def run(self, steps: Any, state: Any) -> Any:
        self._backend.gate.wait(10)
        self.asked.append(len(steps))
        if self.error is not None:
            raise self.error
        return WEIGHTS


class Replica:
    """An engine with one thread over Sums, and a stream."""

    def __init__(self, store: MemoryStore, timeout: float = math.inf) -> None:
        self.backend = Sums()
        self.attention = Looks(self.backend)
        self.model = Model(MANIFEST, self.backend, self.attention)
        plain = Model(MANIFEST.model_copy(update={"name": "plain"}), Sums())
        models = served(self.model, plain)
        self.streams = Streams(
            store,
            StreamIds("secret"),
            models,
            Places(10),
            idle_timeout=-1,
            checkpoint_steps=1_000,
            checkpoint_interval=1e6,
        )
        settings = Settings(concurrency=1, max_unacked_steps=MOST_UNACKED)
        settings = settings.model_copy(update={"request_timeout": timeout})
        self.engine = Engine(models, self.streams, settings)

    async def open(self, model: str = "toy") -> Stream:
        return await self.engine.open(self.engine.model(model))


class Reply:
    """What comes of a chunk; a second answer is an error."""

    def __init__(self, replica: Replica, stream: Stream, chunk: Chunk, **how: Any) -> None:
        self.all: list[Advanced | Exception] = []
        self._came = asyncio.Event()
        replica.engine.advance(stream, chunk, self._answer, **how)

    def _answer(self, told: Advanced | Exception) -> None:
        self.all.append(told)
        self._came.set()

    async def error(self) -> Exception:
        await self._came.wait()
        [told] = self.all
        assert isinstance(told, Exception), told
        return told

    async def result(self) -> Advanced:
        await self._came.wait()
        [told] = self.all
        assert isinstance(told, Advanced), told
        return told


def ones(offset: int, count: int = 2, acked: int | None = None, value: float = 1) -> Chunk:
    return Chunk(offset, np.full((count, 2), value, dtype=np.float32), acked)


def stands_free_at(stream: Stream, position: int) -> None:
    """Nobody holds the stream, and it is there."""
    assert not stream.lock.locked()
    assert stream.checkpoint.position == position
