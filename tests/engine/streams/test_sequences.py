"""Parts of a sequence whose clients go before they are answered."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from larnn_service.engine.streams.advance import Advanced
from larnn_service.engine.streams.sequences import Part, Sequences
from larnn_service.interfaces import Floats, Model
from tests.versions import Replica


def part(steps: int, starts: bool = False) -> Part:
    async def given(*_: object) -> Floats:
        return np.ones((steps, 2), np.float32)

    return Part("own", given, starts)


async def test_a_part_in_work_counts_and_one_that_waits_does_not(
    replica: Replica, tmp_path: Path
) -> None:
    engine = replica()
    sequences = Sequences(engine)

    async def ask(asked: Part) -> tuple[Model, Advanced]:
        return await sequences.advance("toy", None, asked, "")

    await ask(part(1, starts=True))
    [stream] = engine.streams
    async with stream.lock:
        in_work, waiting, stays = (asyncio.create_task(ask(part(n))) for n in (2, 4, 8))
        for _ in range(10):  # turns, in which each comes as far as it can
            await asyncio.sleep(0)
        waiting.cancel()
        in_work.cancel()
        await asyncio.wait([waiting])
    _, advanced = await stays
    assert in_work.cancelled() and waiting.cancelled()
    assert (advanced.position, advanced.outputs[-1, 2]) == (11, 11)
