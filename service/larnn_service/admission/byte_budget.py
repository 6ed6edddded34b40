"""Admission by bytes: what has come from clients and is not answered yet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from larnn_service.errors import Full

FREE = 2**14
"""Bytes of each request or connection that are not counted: who sends little is not refused for
what others send."""


class WaitingBytes:
    """Of all requests and connections of a replica."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.total = 0

    def check(self, size: int) -> None:
        """Raises Full where there is no room for a request or connection of that size."""
        self._check(max(size - FREE, 0))

    @contextlib.contextmanager
    def held(self) -> Iterator[Held]:
        """Those of one request, while it lasts."""
        held = Held(self)
        try:
            yield held
        finally:
            held.set(0)

    def change(self, by: int) -> None:
        """Raises Full instead where there is no room."""
        self._check(by)
        self.total += by

    def _check(self, more: int) -> None:
        if more > 0 and self.total + more > self._limit:
            raise Full(
                f"{self.total} bytes of requests and messages wait and {self._limit} may; try "
                "again, or send less at once",
                retry_after=1,
            )


class Held:
    """The bytes of one request or connection."""

    def __init__(self, waiting: WaitingBytes) -> None:
        self._waiting = waiting
        self._counted = 0

    def check(self, size: int) -> None:
        """Raises Full where so many have no room, before any of them has come."""
        self._waiting.check(size)

    def set(self, size: int) -> None:
        """Set the size that has come by now. Raises Full, and keeps the size before."""
        counted = max(size - FREE, 0)
        if counted != self._counted:
            self._waiting.change(counted - self._counted)
            self._counted = counted
