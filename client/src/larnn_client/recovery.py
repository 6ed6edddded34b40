"""After an error: where to connect next, how, and when there is no sense in it."""

from __future__ import annotations

from larnn_client.backoff import Backoff
from larnn_client.connection import Lost, NotReached
from larnn_client.errors import (
    TRANSIENT,
    Backpressure,
    Draining,
    Expired,
    Internal,
    LarnnError,
    Moved,
    Unknown,
    Unreachable,
)
from larnn_client.messages import Opened
from larnn_client.service import Service, reason, wait_at_least

MAX_INTERNAL = 3


class Recovery:
    """What one stream has learned from its attempts to hold a connection."""

    def __init__(self, service: Service) -> None:
        self.address = 0
        """The index of the address to connect to."""
        self.pressed = False
        """Whether the service cannot keep as many answers as were asked of it."""
        self._service = service
        self._backoff = Backoff(service.retry_for)
        self._opened: Opened | None = None
        self._attempt_answered = False
        self._ghost = False
        self._internal_errors = 0

    def begins(self) -> None:
        """An attempt to connect begins."""
        self._attempt_answered = False

    def opened(self, opened: Opened) -> None:
        """The attempt reached the stream."""
        self._attempt_answered = True
        self._opened = opened

    def succeeded(self) -> None:
        """Something moved on: errors before this do not count any more."""
        self._backoff.reset()
        self._internal_errors = 0

    async def after(self, error: Lost | LarnnError) -> None:
        """Wait until it is time for the next attempt. Raises where there shall be none."""
        if self._is_elsewhere(error):
            self.address += 1
            return
        if isinstance(error, Lost):
            self._ghost |= not self._attempt_answered and not isinstance(error, NotReached)
        elif not self._may_pass(error):
            raise error
        if self._opened is None or self._opened.survives in ("replica", "failover"):
            self.address += 1
        if await self._backoff.wait(at_least=wait_at_least(error)):
            return
        if isinstance(error, LarnnError):
            raise error
        raise Unreachable(f"no success within {self._service.retry_for:g} s; last: {reason(error)}")

    def _is_elsewhere(self, error: Exception) -> bool:
        """Whether the stream to resume may be at one of the addresses not asked yet."""
        gone = isinstance(error, Unknown | Expired)
        return gone and self._opened is None and self.address + 1 < len(self._service.addresses)

    def _may_pass(self, error: LarnnError) -> bool:
        if isinstance(error, Draining) and self._opened and self._opened.survives == "connection":
            raise Expired(
                "the replica that held the stream in its memory is shutting down; open a new one",
                "expired",
            ) from error
        if isinstance(error, Backpressure):
            again, self.pressed = not self.pressed, True
            return again
        if isinstance(error, Internal):
            self._internal_errors += 1
            return self._internal_errors < MAX_INTERNAL
        if isinstance(error, Moved):  # by an attempt that this client had given up itself?
            mine, self._ghost = self._ghost, False
            return mine
        return isinstance(error, TRANSIENT)
