"""What comes in one turn of the event loop, read together: clients that were answered together tend
to ask again together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

logger = logging.getLogger(__name__)

AT_ONCE = 64
"""Messages read by one call: so much memory is enough, however many come in a turn."""

A = TypeVar("A", contravariant=True)


class Connection(Protocol[A]):
    """One that has sent what may be plain."""

    waiting: bytes | None
    """The data, until it is read; more may come first."""

    def ask(self, asked: A) -> None:
        """It is this that its client asks."""
        ...

    def read_alone(self) -> None:
        """It is not plainly right, or not whole."""
        ...

    def give_up(self) -> None:
        """Nobody can say what is wrong with it."""
        ...


C = TypeVar("C", bound=Connection)  # type: ignore[type-arg]
T = TypeVar("T")


class Turn(Generic[C, T]):
    """What has come since the last one."""

    def __init__(self, together: Callable[[list[C], list[bytes]], Sequence[T | None]]) -> None:
        """Of connections and their data, what each of them asks; None where it is not plain."""
        self._together = together
        self._connections: dict[C, None] = {}

    def add(self, connection: C) -> None:
        """It is read when the turn ends, unless its `waiting` is gone by then."""
        if not self._connections:
            asyncio.get_running_loop().call_soon(self._read)
        self._connections[connection] = None

    def _safely(self, connections: list[C], data: list[bytes]) -> Sequence[T | None]:
        if not connections:
            return []
        try:
            return self._together(connections, data)
        except Exception:
            logger.exception("what came together could not be read together")
            return [None] * len(connections)

    def _read(self) -> None:
        came, self._connections = list(self._connections), {}
        for start in range(0, len(came), AT_ONCE):
            waiting: list[C] = []
            data: list[bytes] = []
            for connection in came[start : start + AT_ONCE]:
                if (each := connection.waiting) is not None:
                    waiting.append(connection)
                    data.append(each)
            for connection, asked in zip(waiting, self._safely(waiting, data), strict=True):
                try:
                    if asked is None:
                        connection.read_alone()
                    else:
                        connection.ask(asked)
                except Exception:  # the others want to be read
                    logger.exception("what a client sent could not be read")
                    connection.give_up()
