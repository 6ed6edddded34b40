"""Whether a store takes streams, why not, and when it does again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

from larnn_service.errors import Unavailable

logger = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two probes at least."""
PATIENCE = 1.0
"""Seconds for which whoever asks waits for a probe; then the last one counts."""


class StoreHealth:
    """What the log and /readyz tell of a store.

    A probe that succeeds is all that says "it answers again": a full store still answers reads.
    While it fails it is probed every second, and the log has a line when that begins, when the
    reason changes and when it ends, however many requests fail.
    """

    def __init__(self, probe: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """`probe` writes something small to the store; it raises what `failed` returns."""
        self.reason = ""
        """Why the store takes no streams, for an operator; without addresses. Empty: it does."""
        self._probe = probe
        self._probed = -math.inf
        self._probing: asyncio.Task[None] | None = None
        self._recovery: asyncio.Task[None] | None = None

    def failed(self, reason: str) -> Unavailable:
        """Note why the store did not answer; what to raise."""
        self.reason = reason
        if self._recovery is None:
            self._recovery = _start(self._recover())
        return Unavailable()

    async def check(self) -> str:
        """The reason as it is now."""
        if not self.reason and time.monotonic() - self._probed > EVERY:
            self._probed = time.monotonic()
            self._probing = _start(self._look())
            await asyncio.wait({self._probing}, timeout=PATIENCE)
        return self.reason

    def close(self) -> None:
        """Probe no more."""
        for task in (self._probing, self._recovery):
            if task is not None:
                task.cancel()

    async def _look(self) -> None:
        with contextlib.suppress(Unavailable):
            await self._probe()
            self.reason = ""

    async def _recover(self) -> None:
        told = ""
        while self.reason:
            if self.reason != told:
                told = self.reason
                logger.warning("the store takes no streams: %s", told)
            await asyncio.sleep(EVERY)
            await self._look()
        self._recovery = None
        logger.warning("the store takes streams again")


def _start(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """For whoever asks, so in nobody's context."""
    return asyncio.get_running_loop().create_task(work, context=Context())
