"""Coroutines that need not wait, run where there is no task to wait in."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Waits(Exception):
    """It would have had to wait; it has been broken off."""


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Its result. Raises its error, or Waits."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise Waits
