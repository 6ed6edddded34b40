"""Whether a stream is a live one, whose signal is recorded while it is sent."""

from __future__ import annotations

import math

PAUSE = 0.01
"""Seconds between an answer and the next chunk that tell a live stream from a fast client."""
MOST_LATE = 10.0
"""Seconds of its signal that a stream may catch up with at once."""


class RealTime:
    """The clock of one stream's signal, beside the one on the wall.

    A live stream that the service has answered late finds its next chunks sent before the last one
    is answered, as those of a client are that floods. What tells them apart is that its client has
    paused between chunks, and that it consumes no more than is recorded.
    """

    def __init__(self, sample_rate_hz: float | None, now: float) -> None:
        """`sample_rate_hz`: steps a second; a signal of no known rate is never late."""
        self._seconds = math.inf if sample_rate_hz is None else 1 / sample_rate_hz
        self._consumed_until = now
        self._pauses = False

    def consumed(self, steps: int, now: float) -> None:
        """The stream has come so many steps further."""
        if self._consumed_until < (earliest := now - MOST_LATE):
            self._consumed_until = earliest
        self._consumed_until += steps * self._seconds

    def is_live(self, pause: float, now: float) -> bool:
        """Whether the chunk that comes now belongs to a live stream. It came so many seconds after
        the last answer, none where it was sent before it."""
        if pause > PAUSE:
            self._pauses = True
        elif self._pauses:
            self._pauses = self._consumed_until < now
        return self._pauses
