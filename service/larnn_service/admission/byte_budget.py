"""Admission by bytes: what has come from clients and is not answered yet."""

from __future__ import annotations

from collections import Counter

from larnn_service.errors import Full

FREE = 2**14
"""Bytes of each request or connection that are not counted: who sends little is not refused for
what others send."""


class WaitingBytes:
    """Of all requests and connections of a replica."""

    def __init__(self, limit: int, share: int | None = None, nameless: int | None = None) -> None:
        """`share`: what one owner's may hold of the limit, so that others have room; `nameless`:
        likewise of all who have no name, such as clients that have not said their key yet."""
        self._limit, self._share = limit, limit if share is None else share
        self._nameless = limit if nameless is None else nameless
        self.total = 0
        self._of: Counter[str] = Counter()

    def check(self, size: int, owner: str = "") -> None:
        """Raises Full where there is no room for a request or connection of that size."""
        if size > FREE:
            self._check(size - FREE, owner)

    def change(self, by: int, owner: str = "") -> None:
        """Raises Full instead where there is no room."""
        self._check(by, owner)
        self.add(by, owner)

    def add(self, by: int, owner: str) -> None:
        """The same of what is held already, room or not."""
        self.total += by
        self._of[owner] += by

    def _check(self, more: int, owner: str) -> None:
        share = self._share if owner else self._nameless
        if more > 0 and share < self._limit and self._of[owner] + more > share:
            whose = "this key's" if owner else "keyless"
            raise Full(
                f"{self._of[owner]} bytes of {whose} requests and messages wait and {share} may; "
                "try again, or send less at once",
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

    def set(self, size: int, owner: str | None = None) -> None:
        """Set the size that has come by now. Raises Full, and keeps the size before.

        `owner`: whose they are from now on, where that may have changed.
        """
        if owner is not None and owner != self._owner:
            self.set(0)
            self._owner = owner
        counted = size - FREE if size > FREE else 0
        if counted != self._counted:
            self._waiting.change(counted - self._counted, self._owner)
            self._counted = counted
