"""Streams that tests of stores create and save."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from larnn_service.engine.store.interface import Head, Store
from larnn_service.engine.streams.checkpoint import Checkpoint


def checkpoint(stream: str, position: int = 0, fence: int = 0) -> Checkpoint:
    logits = np.full((2, 3), position, dtype=np.float32)
    state = {"total": np.array([position, 1], np.float32), "seen": np.array(position)}
    return Checkpoint(stream, "toy", 1, position, logits, state, fence=fence)


async def create(store: Store, name: str, key: str | None = None) -> Checkpoint:
    start = checkpoint(name)
    head = await store.create(start, key)
    assert isinstance(head, Head)
    assert (head.model, head.version) == ("toy", 1)
    return replace(start, fence=head.fence)
