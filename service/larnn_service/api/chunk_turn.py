"""Chunks of one turn of the event loop, of all streams, read from their frames together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from larnn_service.api.turn import Connection, Turn
from larnn_service.backend.chunks import ChunkReader
from larnn_service.engine.streams.stream import Stream
from larnn_service.wire.stream_decoder import Asked, Reader


class StreamConnection(Connection[Asked], Protocol):
    """One that waits for a chunk of its stream."""

    @property
    def reader(self) -> Reader: ...

    @property
    def stream(self) -> Stream: ...


class ChunkTurn(Turn[StreamConnection, Asked]):
    """Of all connections."""

    def __init__(self, largest: int) -> None:
        """Bytes of a message at most. Only where `can_read_chunks`."""
        super().__init__(self._asked_together)
        self._frames = ChunkReader(largest)

    def _asked_together(
        self, connections: list[StreamConnection], data: list[bytes]
    ) -> Sequence[Asked | None]:
        values, text, found = self._frames.read(data)
        return [
            each.reader.plain(fields, values, text, each.stream)
            for each, fields in zip(connections, found, strict=True)
        ]
