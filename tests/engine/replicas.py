"""Streams of replicas that share a store, a clock that stands still, and who holds a stream."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from msgspec.structs import replace

from larnn_service.engine.models.registry import Models
from larnn_service.engine.store.interface import Outcome, Survives
from larnn_service.engine.store.memory import MemoryStore
from larnn_service.engine.streams.checkpoint import Checkpoint, DamagedCheckpoint
from larnn_service.engine.streams.places import Places
from larnn_service.engine.streams.registry import Streams
from larnn_service.engine.streams.stream import Stream
from larnn_service.errors import ServiceError, Unavailable
from larnn_service.interfaces import Model
from larnn_service.stream_ids import StreamIds
from tests.engine.bench import MANIFEST, Sums
from tests.served import served

MODEL = Model(MANIFEST, Sums())
MODELS = served(MODEL)
IDLE = 60.0


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Listener:
    """A connection that notes why it was interrupted."""

    def __init__(self) -> None:
        self.reasons: list[ServiceError] = []

    def interrupt(self, error: ServiceError) -> None:
        self.reasons.append(error)


class FarStore(MemoryStore):
    """Treated as one that replicas share; `away` it answers nothing; `saved` is what it took."""

    survives: Survives = "replica"

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.damaged = False
        self.saved: asyncio.Queue[int] = asyncio.Queue()

    async def save(self, checkpoint: Checkpoint) -> Outcome:
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable()
        outcome = await super().save(checkpoint)
        self.saved.put_nowait(checkpoint.position)
        return outcome

    async def take(self, stream: str) -> Checkpoint | None:
        if self.damaged:
            raise DamagedCheckpoint("the checksum is wrong")
        return await super().take(stream)


def replica(store: FarStore, clock: Clock, models: Models = MODELS, **changes: Any) -> Streams:
    settings: dict[str, Any] = {
        "idle_timeout": IDLE,
        "checkpoint_steps": 10,
        "checkpoint_interval": 1e6,
    }
    settings |= changes
    return Streams(store, StreamIds("secret"), models, Places(2), clock=clock, **settings)


async def move(streams: Streams, stream: Stream, position: int) -> None:
    async with stream.lock:
        await streams.wake(stream)
        logits = np.zeros((position, 3), np.float32)
        after = replace(stream.checkpoint, position=position, outputs=logits)
        streams.commit(stream, after)
