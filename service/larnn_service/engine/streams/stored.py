"""Reading streams from the store: what is damaged there is told to the log, and to no client."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Iterator

from larnn_service.engine.models.registry import Models
from larnn_service.engine.store.interface import Head, Store
from larnn_service.engine.streams.checkpoint import Checkpoint, DamagedCheckpoint, check
from larnn_service.errors import Expired, ServiceError, UnknownModel, UnknownStream
from larnn_service.interfaces import Model
from larnn_service.stream_ids import StreamIds
from larnn_service.telemetry.tags import tag

logger = logging.getLogger(__name__)

_REMEMBERED = 1_000


class Stored:
    """As `Store` reads, but what is damaged raises Expired.

    The log has a line for each damaged stream, once, however often its client asks.
    """

    def __init__(self, store: Store, models: Models, ids: StreamIds) -> None:
        self._store, self._models, self._ids = store, models, ids
        self._told: deque[str] = deque(maxlen=_REMEMBERED)

    async def head(self, stream: str) -> Head | None:
        with self._whole(stream):
            return await self._store.head(stream)

    async def model(self, stream: str, head: Head) -> Model:
        """What goes on with the stream. Raises UnknownModel where this replica has not got it."""
        try:
            return await self._models.of_stream(head.model, head.version)
        except UnknownModel:
            with self._whole(stream):
                await self._store.load(stream)  # damaged where it says another model itself
            raise

    async def load(self, stream: str, model: Model) -> Checkpoint | None:
        """One that can go on with this model."""
        with self._whole(stream):
            return _fitting(await self._store.load(stream), model)

    async def take(self, stream: str, model: Model) -> Checkpoint | None:
        """One that can go on with this model."""
        with self._whole(stream):
            return _fitting(await self._store.take(stream), model)

    def gone(self, stream: str) -> ServiceError:
        """Why nothing is stored of a stream: it was ours, or never was one."""
        return self.expired() if self._ids.is_ours(stream) else UnknownStream()

    def expired(self) -> Expired:
        """Of a stream that was ours."""
        more = ", or its store failed over to a server that had no copy of it"
        more = more if self._store.survives == "replica" else ""
        return Expired(f"the stream was ended, deleted or idle for too long{more}; open a new one")

    @contextlib.contextmanager
    def _whole(self, stream: str) -> Iterator[None]:
        try:
            yield
        except DamagedCheckpoint as damage:
            name = tag(stream)
            if name not in self._told:
                self._told.append(name)
                logger.error("stream %s is damaged in the store and expired: %s", name, damage)
            raise Expired("what is stored of the stream is damaged; open a new one") from damage


def _fitting(checkpoint: Checkpoint | None, model: Model) -> Checkpoint | None:
    """Raises DamagedCheckpoint where no stream of this model can stand so."""
    if checkpoint is not None:
        check(checkpoint, model.manifest.contract)
    return checkpoint
