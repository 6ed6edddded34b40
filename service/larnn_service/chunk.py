"""A chunk of a stream, which a decoder makes and the engine consumes."""

from __future__ import annotations

import msgspec

from larnn_service.interfaces import Steps


class Chunk(msgspec.Struct, frozen=True, eq=False):
    """Steps of a stream: [steps, channels], `offset` of them sent before."""

    offset: int
    steps: Steps
    acked: int | None = None
    """The position up to which the client has its answers; its offset unless told."""

    @property
    def end(self) -> int:
        """The steps that have been sent with it."""
        return self.offset + len(self.steps)
