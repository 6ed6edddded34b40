"""Admission by bytes: what has come from clients and is not answered yet."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

from larnn_service.errors import Full

FREE = 2**14
"""Bytes of each request or connection that are not counted: who sends little is not refused for
what others send."""


class WaitingBytes:
    """Of all requests and connections of a replica."""

    def __init__(self, limit: int, share: int | None = None) -> None:
        """`share`: what one owner's may hold of the limit, so that others have room."""
        self._limit, self._share = limit, limit if share is None else share
        self.total = 0
        self._of: Counter[str] = Counter()

    def check(self, size: int, owner: str = "") -> None:
        """Raises Full where there is no room for a request or connection of that size."""
        if size > FREE:
            self._check(size - FREE, owner)

    @contextlib.contextmanager
    def held(self, owner: str) -> Iterator[Held]:
        """Those of one request of this owner, while it lasts."""
        held = Held(self, owner)
        try:
            yield held
        finally:
            held.set(0)

    def change(self, by: int, owner: str = "") -> None:
        """Raises Full instead where there is no room."""
        self._check(by, owner)
        self.add(by, owner)

    def add(self, by: int, owner: str) -> None:
        """The same of what is held already, room or not."""
        self.total += by
        if owner:
            self._of[owner] += by

    def _check(self, more: int, owner: str) -> None:
        if owner and more > 0 and self._of[owner] + more > self._share:
            raise Full(
                f"{self._of[owner]} bytes of this key's requests and messages wait and "
                f"{self._share} may; try again, or send less at once",
                retry_after=1,
            )
        if more > 0 and self.total + more > self._limit:
            raise Full(
                f"{self.total} bytes of requests and messages wait and {self._limit} may; try "
                "again, or send less at once",
                retry_after=1,
            )


class Held:
    """The bytes of one request or connection."""

    def __init__(self, waiting: WaitingBytes, owner: str = "") -> None:
        self._waiting, self._owner = waiting, owner
        self._counted = 0

    def check(self, size: int) -> None:
        """Raises Full where so many have no room, before any of them has come."""
        self._waiting.check(size, self._owner)

    def set(self, size: int) -> None:
        """Set the size that has come by now. Raises Full, and keeps the size before."""
        counted = size - FREE if size > FREE else 0
        if counted != self._counted:
            self._waiting.change(counted - self._counted, self._owner)
            self._counted = counted
