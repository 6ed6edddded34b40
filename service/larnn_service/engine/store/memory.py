"""The store of one process: its streams outlive a connection, not a restart."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from larnn_service.engine.store.fences import next_fence
from larnn_service.engine.store.health import StoreHealth
from larnn_service.engine.store.interface import Head, Outcome, Survives
from larnn_service.engine.streams.checkpoint import Checkpoint


@dataclass(slots=True)
class _Entry:
    checkpoint: Checkpoint
    fence: int
    expires: float
    key: str | None


class MemoryStore:
    """Keeps checkpoints as they are. Times are in seconds of `clock`."""

    survives: Survives = "connection"

    def __init__(self, ttl: float = math.inf, clock: Callable[[], float] = time.monotonic) -> None:
        self._ttl = ttl
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._by_key: dict[str, str] = {}
        self.health = StoreHealth(_nothing)

    def prepare(self) -> None:
        pass

    def keep_secret(self, fresh: str) -> str:
        return fresh

    async def create(self, checkpoint: Checkpoint, key: str | None = None) -> Head | str:
        if key is not None and (living := self._entry(self._by_key.get(key, ""))) is not None:
            return living.checkpoint.stream
        fence = next_fence()
        entry = _Entry(replace(checkpoint, fence=fence), fence, self._clock() + self._ttl, key)
        self._entries[checkpoint.stream] = entry
        if key is not None:
            self._by_key[key] = checkpoint.stream
        return _head(entry)

    async def named(self, key: str) -> str | None:
        stream = self._by_key.get(key, "")
        return None if self._entry(stream) is None else stream

    async def head(self, stream: str) -> Head | None:
        entry = self._entry(stream)
        return None if entry is None else _head(entry)

    async def load(self, stream: str) -> Checkpoint | None:
        entry = self._entry(stream)
        return None if entry is None else replace(entry.checkpoint, fence=entry.fence)

    async def take(self, stream: str) -> Checkpoint | None:
        if (entry := self._entry(stream)) is None:
            return None
        entry.fence = next_fence(entry.fence)
        entry.expires = self._clock() + self._ttl
        return replace(entry.checkpoint, fence=entry.fence)

    async def save(self, checkpoint: Checkpoint) -> Outcome:
        return self.put(checkpoint)

    def put(self, checkpoint: Checkpoint) -> Outcome:
        """`save` where there is no task to wait in."""
        entry, now = self._entries.get(checkpoint.stream), self._clock()
        if entry is None or entry.expires <= now:
            return "gone"
        if entry.fence != checkpoint.fence:
            return "moved"
        entry.checkpoint, entry.expires = checkpoint, now + self._ttl
        return "saved"

    async def delete(self, stream: str) -> bool:
        living = self._entry(stream) is not None
        if (entry := self._entries.pop(stream, None)) and entry.key is not None:
            self._by_key.pop(entry.key, None)
        return living

    async def purge(self) -> None:
        for stream in [s for s in self._entries if self._entry(s) is None]:
            await self.delete(stream)

    async def close(self) -> None:
        pass

    def _entry(self, stream: str) -> _Entry | None:
        entry = self._entries.get(stream)
        return entry if entry is not None and entry.expires > self._clock() else None


def _head(entry: _Entry) -> Head:
    return Head(entry.fence, entry.checkpoint.model, entry.checkpoint.version)


async def _nothing() -> None:
    """Memory answers."""
