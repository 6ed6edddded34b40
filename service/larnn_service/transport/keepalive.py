"""When a websocket is pinged, and when its client is taken for dead."""

from __future__ import annotations

from typing import Literal


class Keepalive:
    """Of one connection. Whatever the client sends shows that it is there.

    A client that was not heard has one interval more: it may be the event loop that was held, with
    the pong before it.
    """

    def __init__(self) -> None:
        self.heard = False
        """Something has come since the last ping."""
        self._pinged = self._doubted = False

    def next(self, behind: bool) -> Literal["ping", "wait", "dead"]:
        """What to do now that the interval is over. `behind`: the client's pong may lie behind what
        is not read yet."""
        if self.heard or behind or not self._pinged:
            self._pinged, self.heard, self._doubted = True, False, False
            return "ping"
        if self._doubted:
            return "dead"
        self._doubted = True
        return "wait"
