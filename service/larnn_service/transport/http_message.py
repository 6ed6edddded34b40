"""A request on its connection: what came of it, until somebody takes it."""

from __future__ import annotations

from typing import Protocol

from larnn_service.wire.http import Head

RawHeaders = list[tuple[bytes, bytes]]
HEAD_COST = 2**10
"""Bytes that a small head takes in memory; a large one comes alone in what is parsed at once."""


class Receiver(Protocol):
    """Whoever takes a request's body: an exchange, or the framework's request."""

    def receive(self, part: bytes) -> None: ...

    def finish(self) -> None: ...

    def abandon(self) -> None: ...


class _Nobody:
    """Takes the rest of a request that is answered."""

    def receive(self, part: bytes) -> None: ...

    def finish(self) -> None: ...

    def abandon(self) -> None: ...


_NOBODY = _Nobody()


class Message:
    """A request on its connection: what came of it, until it is begun."""

    __slots__ = (
        "_early",
        "_receiver",
        "_whole",
        "head",
        "keep_alive",
        "raw",
        "responding",
        "upgrade",
        "version",
    )

    def __init__(
        self, head: Head, raw: RawHeaders, version: str, keep_alive: bool, upgrade: bool
    ) -> None:
        self.head, self.raw, self.version = head, raw, version
        self.keep_alive, self.upgrade = keep_alive, upgrade
        self._receiver: Receiver | None = None
        self._early = bytearray()
        self._whole = self.responding = False

    def begin(self, receiver: Receiver) -> None:
        """From now on the receiver has what comes, and what came."""
        if self._receiver is not None:  # it was answered by its head
            return
        self._receiver = receiver
        if self._early:
            receiver.receive(bytes(self._early))
            self._early.clear()
        if self._whole:
            receiver.finish()

    def receive(self, part: bytes) -> None:
        if self._receiver is None:
            self._early += part
        else:
            self._receiver.receive(part)

    def finish(self) -> None:
        self._whole = True
        if self._receiver is not None:
            self._receiver.finish()

    def abandon(self) -> None:
        """The client has gone."""
        receiver, self._receiver = self._receiver, _NOBODY
        if receiver is not None:
            receiver.abandon()

    def end(self) -> None:
        """It is answered: what still comes of it is nobody's, and it holds its receiver no more."""
        self._receiver = _NOBODY

    @property
    def waiting(self) -> int:
        """Bytes of the head and of the body that came before anybody took them."""
        return len(self._early) + HEAD_COST

    @property
    def begun(self) -> bool:
        """Whether somebody has it, or has answered it."""
        return self._receiver is not None

    @property
    def whole(self) -> bool:
        """Whether all of its body has come."""
        return self._whole
