"""What a stream has sent, what is answered, what is durable: the bookkeeping without any I/O."""

from __future__ import annotations

from collections import deque

from larnn_client.errors import BufferFull, ProtocolError, StateLost
from larnn_client.messages import Chunk, Steps


class Journal:
    """The chunks of one stream, from the first that may have to be sent again.

    Positions count steps: `durable` and `answered` ≤ `end`; `acknowledged` ≤ `read` ≤ `answered`.
    A chunk is kept until it is answered and durable.
    """

    def __init__(self, position: int, *, consumed: int, max_steps: int) -> None:
        """`position` steps are sent and answered; the service has consumed `consumed`."""
        self.answered = position
        """The end of the last chunk whose answer has come."""
        self.read = position
        """The end of the last chunk whose answer the caller has taken."""
        self.acknowledged = position
        """The service need not keep the answers up to here: `read`, or as the caller says."""
        self.durable = position
        """The store holds the stream up to here, as far as this client was told."""
        self.end = position
        """Steps sent, over the stream's whole life."""
        self._consumed_before = consumed
        self._max_steps = max_steps
        self._kept: deque[Chunk] = deque()
        self._waiting: deque[Chunk] = deque()
        self._in_flight: deque[Chunk] = deque()

    @property
    def settled(self) -> bool:
        """Whether every chunk is sent and answered on this connection."""
        return not self._waiting and not self._in_flight

    def append(self, steps: Steps, most: int | None = None) -> int:
        """Take the next steps [steps, channels], in chunks of at most so many; how many chunks.
        Raises BufferFull and then takes none."""
        held = self.end - min(self.durable, self.acknowledged)
        if held + len(steps) > self._max_steps:
            what = "read the predictions" if self.read <= self.durable else "wait for a checkpoint"
            if self.acknowledged < min(self.read, self.durable):
                what = "acknowledge the answers that are in your own store"
            raise BufferFull(
                f"{held} steps are held, of {self._max_steps} at most: {self.end - self.answered} "
                f"unanswered, {self.answered - self.read} not read, {self.end - self.durable} not "
                f"durable; {what}, or give the stream a larger max_buffered_steps"
            )
        size = len(steps) if most is None else most
        for start in range(0, len(steps), size):
            chunk = Chunk(self.end, steps[start : start + size])
            self._kept.append(chunk)
            self._waiting.append(chunk)
            self.end = chunk.end
        return -(-len(steps) // size)

    def resume(self, position: int) -> None:
        """Begin anew on a connection whose service stands at `position`.

        Sends again from what is unanswered, or from the position where that is smaller. Raises
        StateLost where those steps are not kept, ProtocolError where others were sent.
        """
        if position > max(self.end, self._consumed_before):
            raise ProtocolError(
                f"the service has consumed {position} steps, of which this client sent "
                f"{self.end}: another client writes to this stream"
            )
        start = min(self.answered, position)
        if start < (self._kept[0].offset if self._kept else self.end):
            raise StateLost(
                f"the service stands at step {position}, behind what is kept here: it had called "
                f"{self.durable} steps durable; open a new stream"
            )
        self._in_flight.clear()
        self._waiting.clear()
        for chunk in self._kept:
            if chunk.offset >= start:
                self._waiting.append(chunk)
            elif chunk.end > start:
                self._waiting.append(Chunk(start, chunk.steps[start - chunk.offset :]))

    def next(self, max_in_flight: int) -> Chunk | None:
        """The chunk to send now, if any."""
        if not self._waiting or len(self._in_flight) >= max_in_flight:
            return None
        chunk = self._waiting.popleft()
        self._in_flight.append(chunk)
        return chunk

    def settle(self, position: int, durable: int) -> bool:
        """Take the answer to the oldest chunk in flight; whether the caller has not had it yet."""
        if not self._in_flight or self._in_flight[0].end != position:
            raise ProtocolError(f"the service answered for position {position}, unasked")
        self._in_flight.popleft()
        self.durable = max(self.durable, durable)
        new = position > self.answered
        self.answered = max(self.answered, position)
        while self._kept and self._kept[0].end <= min(self.answered, self.durable):
            self._kept.popleft()
        return new
