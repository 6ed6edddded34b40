"""Which copies a write must have before it counts."""

from __future__ import annotations

from dataclasses import dataclass

_SHARE = 0.8
"""Of the time that the server has: so long it waits for its replicas."""


@dataclass(frozen=True)
class Awaited:
    """The server's own, and those of its replicas."""

    replicas: int = 0
    on_disk: bool = False
    """WAITAOF: on the server's own disk, too."""

    def command(self, timeout: float) -> list[str | int]:
        """To say behind writes, on their connection. `timeout`: seconds for an answer."""
        milliseconds = max(1, round(timeout * _SHARE * 1000))
        if self.on_disk:
            return ["WAITAOF", 1, self.replicas, milliseconds]
        return ["WAIT", self.replicas, milliseconds]


NONE = Awaited()
"""The server alone."""
