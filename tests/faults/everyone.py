"""Many clients at once, and a fault in the middle of their signals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.faults.resuming import Floats, Resuming

STEPS = 400


def signals(count: int, channels: int = 2) -> list[Floats]:
    """Small whole numbers: the toy's sums are exact, one step lost or counted twice shows."""
    random = np.random.default_rng(7)
    return [random.integers(-4, 5, (STEPS, channels)).astype(np.float32) for _ in range(count)]


def toy_logits(signal: Floats) -> Floats:
    return np.concatenate([signal.cumsum(0), np.arange(1, STEPS + 1)[:, None]], axis=1)


async def everyone(clients: list[Resuming], fault: Callable[[], Any]) -> list[Floats]:
    """All clients' answers; the fault comes after half of their signals, and ends before the last
    quarter."""
    half, over = asyncio.Barrier(len(clients) + 1), asyncio.Event()
    for client in clients:
        client.half, client.over = half, over
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(client.run()) for client in clients]
        await half.wait()
        await asyncio.to_thread(fault)
        over.set()
    return [task.result() for task in running]
