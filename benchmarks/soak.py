"""Hours of ordinary use in minutes: is memory flat?"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import typer
from websockets.asyncio.client import connect

from benchmarks import pictures
from benchmarks.measure import machine, write
from benchmarks.server import Server, free_port, resident_bytes, running

STREAMS = 40
STEPS = 10
PERIOD = 0.2
"""Seconds between a stream's chunks: 10 steps at 50 Hz."""
IDLE_TIMEOUT = 20.0
SETTLING = 0.25
"""The first part of the time, in which caches and arenas grow to their size."""


def soak(
    minutes: Annotated[float, typer.Option(help="how long")] = 30.0,
    quick: Annotated[bool, typer.Option(help="prove that it works: ten seconds")] = False,
    output: Annotated[Path | None, typer.Option(help="write the figures as JSON")] = None,
    picture: Annotated[Path | None, typer.Option(help="draw them")] = None,
) -> None:
    """Live streams that end, break off or are left idle, and windows to classify, over SQLite."""
    seconds = 10.0 if quick else 60 * minutes
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        settings = {
            "LARNN_PORT": str(port),
            "LARNN_STORE": f"sqlite:///{folder}/streams.db",
            "LARNN_IDLE_TIMEOUT": str(IDLE_TIMEOUT),
        }
        with running([sys.executable, "-m", "service"], port, "/readyz", settings) as server:
            record = machine() | asyncio.run(_soak(server, seconds))
    megabytes = np.array(record["megabytes"])
    hours = np.array(record["seconds"]) / 3600
    late = hours >= SETTLING * hours[-1]
    record["megabytes_per_hour"] = float(np.polyfit(hours[late], megabytes[late], 1)[0])
    print(
        f"{record['seconds'][-1] / 60:.1f} minutes, {record['counts']}: "
        f"{megabytes[0]:.0f} to {megabytes[-1]:.0f} MB, "
        f"{record['megabytes_per_hour']:+.1f} MB per hour after the first quarter"
    )
    write(record, output)
    if picture is not None:
        pictures.soak(record, picture)


async def _soak(server: Server, seconds: float) -> dict[str, Any]:
    until, counts = time.monotonic() + seconds, Counter[str]()
    start = time.monotonic()
    times, megabytes = [], []
    async with asyncio.TaskGroup() as group:
        for number in range(STREAMS):
            group.create_task(_streaming(server, until, counts, random.Random(number)))
        group.create_task(_classifying(server, until, counts))
        while time.monotonic() < until:
            times.append(round(time.monotonic() - start, 1))
            megabytes.append(resident_bytes(server.pid) / 2**20)
            await asyncio.sleep(min(5.0, seconds / 10))
    return {"command": "soak", "counts": dict(counts), "seconds": times, "megabytes": megabytes}


async def _streaming(
    server: Server, until: float, counts: Counter[str], chance: random.Random
) -> None:
    """Streams of a few seconds to a minute, at real speed."""
    chunk = np.random.default_rng(chance.randrange(2**32)).normal(size=(STEPS, 9)).tolist()
    while time.monotonic() < until:
        async with connect(f"ws://127.0.0.1:{server.port}/stream", max_queue=None) as socket:
            await socket.recv()
            for index in range(chance.randint(10, 300)):
                message = {"type": "chunk", "offset": index * STEPS, "steps": chunk}
                await socket.send(json.dumps(message))
                answer = json.loads(await socket.recv())
                if answer["type"] != "prediction":
                    raise RuntimeError(f"the service answered {answer}")
                counts["chunks"] += 1
                await asyncio.sleep(PERIOD)
                if time.monotonic() > until:
                    break
            if chance.random() < 0.5:
                await socket.send('{"type": "end"}')
                await socket.recv()
                counts["streams ended"] += 1
            else:  # the connection goes, the stream stays until it is idle
                counts["streams left"] += 1


async def _classifying(server: Server, until: float, counts: Counter[str]) -> None:
    window = np.random.default_rng(0).normal(size=(128, 9)).tolist()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as client:
        while time.monotonic() < until:
            answer = await client.post("/classify", json={"sequences": [window]}, timeout=30)
            answer.raise_for_status()
            counts["windows"] += 1
            await asyncio.sleep(PERIOD)
