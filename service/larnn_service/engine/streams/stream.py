"""One open stream, as the replica that owns it holds it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from larnn_service.conversion.conversion import Conversion, conversion
from larnn_service.engine.capture.recorder import Recorder
from larnn_service.engine.streams.checkpoint import Checkpoint
from larnn_service.engine.streams.real_time import RealTime
from larnn_service.engine.streams.stream_lock import StreamLock
from larnn_service.errors import ServiceError
from larnn_service.interfaces import Model


class Connection(Protocol):
    """A live connection on a stream."""

    def interrupt(self, error: ServiceError) -> None:
        """Close for this reason once the work in flight has settled."""
        ...


@dataclass(eq=False)
class Stream:
    """One conversation. `checkpoint` is replaced whole, and only after a run has succeeded."""

    model: Model
    checkpoint: Checkpoint
    """Where the stream stands, whether the store has it yet or not."""
    durable: int = 0
    """The position of the last checkpoint in the store."""
    dirty: bool = False
    """The store has not got `checkpoint` yet."""
    resting: bool = False
    """State and outputs are in the store alone, until the next chunk."""
    lost: ServiceError | None = None
    """Why this replica may not go on with the stream: another owns it, or it is gone."""
    last_used: float = 0.0
    owner: str = ""
    """Who opened or resumed it here; empty where no keys are set."""
    kept_bytes: int = 0
    """Of its answers, as the quota counts them."""
    connection: Connection | None = None
    lock: StreamLock = field(default_factory=StreamLock)
    """Held while a chunk runs: chunks of one stream go one after the other, in order."""
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while a checkpoint is written: one at a time, the newest last."""
    timer: asyncio.TimerHandle | None = None
    """Writes the next checkpoint."""
    recorder: Recorder | None = None
    """Where the stream is captured."""
    real_time: RealTime = field(init=False)
    conversion: Conversion | None = field(init=False)
    """Makes what its client sends the model's; the same for every version that it goes on with."""

    def __post_init__(self) -> None:
        manifest = self.model.manifest
        self.real_time = RealTime(manifest.contract.sample_rate_hz, self.last_used)
        self.conversion = conversion(
            manifest.contract.input, manifest.name, *self.checkpoint.measured
        )

    @property
    def id(self) -> str:
        return self.checkpoint.stream

    def interrupt(self, error: ServiceError) -> None:
        """Close the connection, if there is one."""
        if self.connection is not None:
            self.connection.interrupt(error)
