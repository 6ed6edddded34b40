"""A chunk of a stream: what of it is fresh, where it leaves the stream, what is answered."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from larnn_service.chunk import Chunk
from larnn_service.engine.streams.checkpoint import Checkpoint
from larnn_service.errors import Backpressure, BadValue, Expired, Gap
from larnn_service.interfaces import Floats, RowState


class Advanced(NamedTuple):
    """The answer to a chunk: outputs [steps, columns], of each of its steps."""

    position: int
    """Steps consumed up to the end of this chunk."""
    durable: int
    outputs: Floats
    attention: Floats | None = None
    """[layers, heads, k] of the last step, where it was asked for and the step was run now."""


class Advance:
    """A chunk in work, on a stream that stands at `before`."""

    __slots__ = ("_chunk", "_kept", "before", "fresh")

    def __init__(self, before: Checkpoint, chunk: Chunk, max_unacked_steps: int) -> None:
        """Raises Expired after the end, Gap, BadValue, Backpressure."""
        if before.ended and not _is_kept(chunk, before):
            raise Expired("the stream has ended; open a new one")
        consumed = before.position - chunk.offset
        if consumed < 0:
            raise Gap(chunk.offset, before.position)
        self.before, self._chunk = before, chunk
        self._kept = _unacknowledged(before, chunk, max_unacked_steps)
        self.fresh = chunk.steps[consumed:] if consumed else chunk.steps
        """The steps that the stream has not consumed."""

    @property
    def kept_bytes(self) -> int:
        """Of answers that the client has not acknowledged, when the fresh steps have theirs."""
        of_step: int = self._kept.itemsize * self._kept.shape[1]
        return self._kept.nbytes + len(self.fresh) * of_step

    def moved(self, outputs: Floats, state: RowState) -> Checkpoint:
        """Where the stream stands after the fresh steps; outputs [fresh, columns]."""
        self._kept = np.concatenate([self._kept, outputs]) if len(self._kept) else outputs
        return self.before.moved(len(self.fresh), self._kept, state)

    def ended(self, after: Checkpoint) -> Checkpoint:
        """The same for a stream of which nothing follows."""
        return after.end(self._kept)

    def answer(self, stands: Checkpoint, durable: int, attention: Floats | None = None) -> Advanced:
        """For all of the chunk, when the stream stands there."""
        chunk, start = self._chunk, stands.position - len(self._kept)
        outputs = self._kept[chunk.offset - start : chunk.end - start]
        return Advanced(chunk.end, durable, outputs, attention)


def _is_kept(chunk: Chunk, checkpoint: Checkpoint) -> bool:
    """Whether all that the chunk asks for is among the kept outputs."""
    first = checkpoint.position - len(checkpoint.outputs)
    return first <= chunk.offset and chunk.end <= checkpoint.position


def _unacknowledged(checkpoint: Checkpoint, chunk: Chunk, most: int) -> Floats:
    """The kept outputs from what the client still wants on."""
    position, outputs = checkpoint.position, checkpoint.outputs
    acked = chunk.offset if chunk.acked is None else chunk.acked
    if acked > chunk.offset:
        raise BadValue(f"acked {acked} lies behind the chunk's offset {chunk.offset}")
    first = position - len(outputs)
    if chunk.offset < first:
        raise BadValue(
            f"the answers before step {first} were acknowledged and are gone; "
            f"the stream is at {position}: send what follows",
            expected_offset=position,
        )
    kept = outputs[acked - first :] if acked > first else outputs
    if len(kept) + max(chunk.end - position, 0) > most:
        raise Backpressure(
            f"more than {most} steps are unacknowledged; read the answers and send `acked`"
        )
    return kept
