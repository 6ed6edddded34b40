"""Where streams rest: one interface, whatever outlives a connection, a process or a machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from larnn_service.engine.store.health import StoreHealth
from larnn_service.engine.streams.checkpoint import Checkpoint

Survives = Literal["connection", "restart", "replica", "failover"]
Outcome = Literal["saved", "moved", "gone"]


@dataclass(frozen=True, slots=True)
class Head:
    """What can be known of a stream without reading its state."""

    fence: int
    model: str
    version: int


class Store(Protocol):
    """Checkpoints behind fences: of all that believe to own a stream, the newest one writes.

    `take` raises a stream's fence; `save` writes for the holder of the newest fence alone. Each
    is one atomic step, across replicas. A stream that was deleted or has expired has no fence:
    nobody saves it again. All but the first two raise Unavailable where the store does not answer.
    What reads a stream raises DamagedCheckpoint where what is stored of it is no stream.
    """

    survives: Survives
    """What the service may promise with it."""
    health: StoreHealth
    """Whether it takes streams, and why not."""

    def prepare(self) -> None:
        """Connect, before the service starts; may block. Raises StartupError."""
        ...

    def keep_secret(self, fresh: str) -> str:
        """The secret that has signed ids since the store's first use: `fresh` on that occasion.

        May block. Raises StartupError.
        """
        ...

    async def create(self, checkpoint: Checkpoint, key: str | None = None) -> Head | str:
        """Store a new stream; its head.

        Where a living stream was created with the same key, its id instead, and no change.
        """
        ...

    async def named(self, key: str) -> str | None:
        """The id of the living stream that was created with this key."""
        ...

    async def head(self, stream: str) -> Head | None:
        """What the store has of the stream; it stays with its owner."""
        ...

    async def load(self, stream: str) -> Checkpoint | None:
        """The last checkpoint; the stream stays with its owner."""
        ...

    async def take(self, stream: str) -> Checkpoint | None:
        """The last checkpoint under a new fence: from now on earlier owners cannot save."""
        ...

    async def save(self, checkpoint: Checkpoint) -> Outcome:
        """Put the checkpoint in place of the last one, if its fence is the newest."""
        ...

    async def delete(self, stream: str) -> bool:
        """Erase every copy, damaged or not; whether there was a living one."""
        ...

    async def purge(self) -> None:
        """Free what has expired."""
        ...

    async def close(self) -> None:
        """Let go of threads and connections."""
        ...
