"""Where a stream's state rests between chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from service.backend.base import Floats
from service.engine.state import RowState

Survives = Literal["connection", "restart", "replica"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """State, position and unacknowledged logits of a stream, written and read as one."""

    stream: str
    model: str
    version: int
    position: int
    """Steps consumed."""
    logits: Floats
    """[kept, classes]: the answers of the last `kept` steps before `position`."""
    state: RowState
    ended: bool = False


class Store(Protocol):
    """One atomic write a checkpoint; `survives` is what the service may promise with it."""

    survives: Survives

    async def save(self, checkpoint: Checkpoint) -> None:
        """Put the checkpoint in place of the stream's last one."""
        ...

    async def load(self, stream: str) -> Checkpoint | None:
        """The stream's last checkpoint."""
        ...

    async def delete(self, stream: str) -> None:
        """Erase every copy; no error where there is none."""
        ...


class MemoryStore:
    """Checkpoints of this process: they outlive a connection, not a restart."""

    survives: Survives = "connection"

    def __init__(self) -> None:
        self._checkpoints: dict[str, Checkpoint] = {}

    async def save(self, checkpoint: Checkpoint) -> None:
        self._checkpoints[checkpoint.stream] = checkpoint

    async def load(self, stream: str) -> Checkpoint | None:
        return self._checkpoints.get(stream)

    async def delete(self, stream: str) -> None:
        self._checkpoints.pop(stream, None)
