"""Ordinary clients: live streams whose every answer is checked, and requests to classify."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx
from websockets.asyncio.client import connect

from tests.live import websocket_url

STEPS = 10
PERIOD = 0.2
"""Seconds between a stream's chunks: 10 steps at 50 Hz."""
WAIT = 60.0
"""Seconds after which an answer counts as lost."""


@dataclass
class Seen:
    """What all clients saw."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    """Seconds that each chunk's answer took, since this was emptied."""


async def stream(url: str, until: float, seen: Seen, chance: random.Random) -> None:
    """Streams of a few seconds to a minute at real speed, one after another.

    Half of them are ended, the others left until they are idle. The toy network adds up what it
    gets, so that one step lost or counted twice shows in every later answer.
    """
    while time.monotonic() < until:
        async with connect(websocket_url(url), max_queue=None) as socket:
            await socket.recv()
            left = right = 0
            await asyncio.sleep(chance.random() * PERIOD)
            for index in range(chance.randint(10, 300)):
                step = chance.randint(-4, 4), chance.randint(-4, 4)
                left, right = left + STEPS * step[0], right + STEPS * step[1]
                position = (index + 1) * STEPS
                sent = time.monotonic()
                message = {"type": "chunk", "offset": index * STEPS, "steps": [step] * STEPS}
                await socket.send(json.dumps(message | {"logits": True}))
                answer = json.loads(await asyncio.wait_for(socket.recv(), WAIT))
                took = time.monotonic() - sent
                seen.latencies.append(took)
                seen.counts["chunks"] += 1
                found = answer.get("position"), answer.get("logits")
                if found != (position, [left, right, position]):
                    seen.faults.append(f"the answer to step {position} is {answer}")
                    break
                if time.monotonic() > until:
                    break
                await asyncio.sleep(max(0.0, PERIOD - took))
            if chance.random() < 0.5:
                await socket.send('{"type": "end"}')
                await asyncio.wait_for(socket.recv(), WAIT)
                seen.counts["streams ended"] += 1
            else:
                seen.counts["streams left"] += 1


async def classify(url: str, until: float, seen: Seen) -> None:
    """A window at a time, its answer checked."""
    body = {"sequences": [[[1, 2]] * 128], "logits": True}
    async with httpx.AsyncClient(base_url=url, timeout=WAIT) as client:
        while time.monotonic() < until:
            answer = await client.post("/classify", json=body)
            answer.raise_for_status()
            if (logits := answer.json()["predictions"][0]["logits"]) != [128, 256, 128]:
                seen.faults.append(f"the window's logits are {logits}")
            seen.counts["windows"] += 1
            await asyncio.sleep(PERIOD)
