"""When work is due, with one timer for all: one for each would cost a request as much as its place
in the queue."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextvars import Context
from typing import Generic, TypeVar

from larnn_service.errors import Full

T = TypeVar("T")


class Deadlines(Generic[T]):
    """Of work that is all given the same time."""

    def __init__(self, within: float, late: Callable[[T], None]) -> None:
        """Seconds, infinite for no deadline; `late` gets whatever is not done by then."""
        self._within, self._late = within, late
        self._since: dict[T, float] = {}
        """By the loop's clock, the oldest first."""
        self._timer: asyncio.TimerHandle | None = None

    def add(self, work: T, now: float) -> None:
        """Until `remove`."""
        self._since[work] = now
        if self._timer is None and self._within < math.inf:
            self._look_at(now + self._within)

    def remove(self, work: T) -> None:
        """It is done."""
        self._since.pop(work, None)

    def oldest(self) -> T | None:
        """What was added first."""
        return next(iter(self._since), None)

    def _look(self) -> None:
        latest = asyncio.get_running_loop().time() - self._within
        while self._since:
            work, since = next(iter(self._since.items()))
            if since > latest:
                return self._look_at(since + self._within)
            del self._since[work]
            self._late(work)
        self._timer = None

    def _look_at(self, when: float) -> None:
        """For all of it, so in nobody's context."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(when, self._look, context=Context())


def late(within: float) -> Full:
    """What a client is told whose answer did not come in time."""
    return Full(f"no run was free within {within:g} s; try again", retry_after=1)
