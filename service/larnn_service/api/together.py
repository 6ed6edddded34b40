"""What comes in one turn of the event loop, for whoever works on it together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

logger = logging.getLogger(__name__)

K = TypeVar("K")
T = TypeVar("T")


class Together(Generic[K, T]):
    """At the end of each turn `take` gets each key with all that came for it."""

    def __init__(self, take: Callable[[K, list[T]], None]) -> None:
        self._take = take
        self._came: dict[K, list[T]] = {}

    def add(self, key: K, thing: T) -> None:
        """For this turn's end."""
        if not self._came:
            asyncio.get_running_loop().call_soon(self._end)
        self._came.setdefault(key, []).append(thing)

    def _end(self) -> None:
        came, self._came = self._came, {}
        for key, things in came.items():
            each_alone(self._take, [(key, things)])


def each_alone(work: Callable[..., None], things: Iterable[tuple[Any, ...]]) -> None:
    """`work` on each of them: what one client's answer fails on is no other's concern."""
    for thing in things:
        try:
            work(*thing)
        except Exception:
            logger.exception("an answer could not be given")
