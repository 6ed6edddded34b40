"""python -m tests.faults.crowd: many open streams, and some clients that misbehave.

All run on one machine. The flooding clients are a process of their own with the lowest priority,
which writes as fast as their sockets take it: the record tells how many chunks they sent, and how
many of all the service answered. Deaf ones and measured ones run with the service's priority.
"""

from __future__ import annotations

import asyncio
import re
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from typing import Annotated, Any

import httpx
import numpy as np
import typer
import uvloop

from benchmarks.measure import Output, Quick, machine, report
from benchmarks.our_streams import OurStreams, Websocket
from benchmarks.server import ROOT, Server, cpu_seconds, resident_bytes, serving
from tests.faults.crowd.flood import misbehave

STEPS, EVERY = 10, 0.2
"""A chunk of the sampled streams, and how often."""
PAUSE = 0.2
"""Between two chunks of a deaf client."""
SETTLE = 3.0
CHUNKS = r'^larnn_chunk_duration_seconds_count\{door="/stream".* (\S+)$'


@dataclass(frozen=True)
class Times:
    """From when a chunk was due to its answer, over the sampled streams."""

    chunks: int
    p50_ms: float
    p99_ms: float
    server_cores: float
    answered: int
    """Chunks, of the bad clients too, that the service answered meanwhile."""


def main(
    streams: Annotated[int, typer.Option(help="open websockets, the bad ones too")] = 2000,
    flooding: Annotated[int, typer.Option(help="of them send ahead and read nothing")] = 100,
    deaf: Annotated[int, typer.Option(help="of them speak at a steady pace and never read")] = 100,
    sample: Annotated[int, typer.Option(help="of the others speak, and are measured")] = 50,
    seconds: Annotated[float, typer.Option(help="of each measurement")] = 20.0,
    model: str = "larnn-har",
    quick: Quick = False,
    output: Output = None,
) -> None:
    """The p99 of well-behaved streams with and without bad ones beside them; memory of a stream."""
    if quick:
        streams, flooding, deaf, sample, seconds = 200, 10, 10, 10, 5.0
    with serving(ROOT / "models", model, concurrency=2) as server:
        others = streams - flooding - deaf
        figures = uvloop.run(_crowd(server, model, others, flooding, deaf, sample, seconds))
    record = machine() | {
        "command": "crowd",
        "model": model,
        "streams": streams,
        "flooding": flooding,
        "deaf": deaf,
        "sample": sample,
        "seconds": seconds,
        **figures,
    }
    report("crowd", record, output)


async def _crowd(
    server: Server, model: str, others: int, flooding: int, deaf: int, sample: int, seconds: float
) -> dict[str, Any]:
    before = resident_bytes(server.pid)
    sockets = await OurStreams(server.port, model, others, STEPS, binary=False).websockets()
    after = resident_bytes(server.pid)
    speaking = sockets[:sample]
    await _measured(server, speaking, SETTLE)
    alone = await _measured(server, speaking, seconds)
    context = get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(2, mp_context=context) as processes:
        ready, stop = manager.Barrier(3), manager.Event()
        bad = [
            processes.submit(misbehave, server.port, count, pause, STEPS, ready, stop)  # type: ignore[arg-type]
            for count, pause in ((flooding, 0.0), (deaf, PAUSE))
        ]
        await asyncio.to_thread(ready.wait)
        beside = await _measured(server, speaking, seconds)
        stop.set()
        flood, silent = [await asyncio.to_thread(one.result) for one in bad]
    alive = sum(socket.is_open for socket in sockets)
    memory = resident_bytes(server.pid)
    for socket in sockets:
        socket._transport.disconnect()
    return {
        "alone": asdict(alone),
        "beside": asdict(beside),
        "p99_ratio": beside.p99_ms / alone.p99_ms,
        "bytes_per_idle_stream": (after - before) / others,
        "resident_bytes": memory,
        "flood_chunks": flood.sent,
        "deaf_chunks": silent.sent,
        "let_go": flood.gone + silent.gone,
        "others_alive": alive,
    }


async def _measured(server: Server, sockets: list[Websocket], seconds: float) -> Times:
    for socket in sockets:
        socket.latencies.clear()
    before = await asyncio.to_thread(_answered, server)
    cpu, start = cpu_seconds(server.pid), time.perf_counter()
    phases = np.linspace(0, EVERY, len(sockets), endpoint=False)
    chunks = max(int(seconds / EVERY), 1)
    await asyncio.gather(
        *(_speak(one, start + phase, chunks) for one, phase in zip(sockets, phases, strict=True))
    )
    took = time.perf_counter() - start
    latencies = [latency for socket in sockets for latency in socket.latencies]
    p50, p99 = (1e3 * float(value) for value in np.percentile(latencies, (50, 99)))
    cores = (cpu_seconds(server.pid) - cpu) / took
    answered = await asyncio.to_thread(_answered, server) - before
    return Times(len(latencies), p50, p99, cores, answered)


def _answered(server: Server) -> int:
    """Chunks of websockets, since the service began."""
    text = httpx.get(f"http://127.0.0.1:{server.port}/metrics", trust_env=False, timeout=60).text
    return int(sum(float(count) for count in re.findall(CHUNKS, text, re.MULTILINE)))


async def _speak(socket: Websocket, first: float, chunks: int) -> None:
    """All its chunks, and the last answer."""
    await socket.pace(first, EVERY, chunks)
    await socket.settled.wait()


if __name__ == "__main__":
    typer.run(main)
