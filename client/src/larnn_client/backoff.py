"""How long to wait before the next attempt, and when to give up."""

from __future__ import annotations

import asyncio
import random
import time

FIRST = 0.1
LONGEST = 5.0


class Backoff:
    """Exponential waits with full jitter; gives up `retry_for` seconds after the last success."""

    def __init__(self, retry_for: float) -> None:
        self._retry_for = retry_for
        self.reset()

    def reset(self) -> None:
        """Something succeeded: begin anew."""
        self._attempts = 0
        self._failing_since: float | None = None

    async def wait(self, *, at_least: float = 0.0) -> bool:
        """Sleep before the next attempt; False, at once, when the time for attempts is over."""
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        delay = at_least + random.uniform(0, min(LONGEST, FIRST * 2**self._attempts))
        self._attempts = min(self._attempts + 1, 16)
        if now + delay - self._failing_since > self._retry_for:
            return False
        await asyncio.sleep(delay)
        return True
