"""Waiting for what a process does by itself: asked again and again, with an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
WITHIN = 120.0
"""Seconds: more than a loaded machine takes, less than a suite waits for a test."""
PAUSE = 0.01
"""Seconds between two questions, in which whoever is asked gets on with it."""


def until(found: Callable[[], T], otherwise: str | Callable[[], object]) -> T:
    """Ask until there is an answer that holds, and return it. Fails with `otherwise` at the end."""
    end = time.monotonic() + WITHIN
    while not (answer := found()):
        if time.monotonic() > end:
            raise AssertionError(otherwise() if callable(otherwise) else otherwise)
        time.sleep(PAUSE)
    return answer
