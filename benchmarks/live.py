"""Streams at real speed: how many a machine holds before answers come late."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import uvloop

from benchmarks.our_streams import OurStreams, Websocket
from benchmarks.server import Server, ServerError, cpu_seconds

STEPS, RATE_HZ = 10, 50.0
LIMIT_MS = 100.0
FIRST, HALVINGS = 64, 3
LATE = 2.0
"""Seconds after the last chunk in which an answer still counts, late as it is."""


@dataclass(frozen=True)
class Trial:
    """So many streams, each with a chunk of 10 steps every 200 ms."""

    streams: int
    p50_ms: float
    p99_ms: float
    """From when the chunk was due; one without an answer counts as it waited."""
    server_cores: float
    client_cores: float

    @property
    def held(self) -> bool:
        return self.p99_ms < LIMIT_MS


def most_streams(server: Server, model: str, seconds: float, most: int) -> Iterator[Trial]:
    """Double until answers are late, then halve the gap a few times. Every trial, in order."""
    held, count, late = 0, min(FIRST, most), None
    while True:
        trial = try_streams(server, model, count, seconds)
        print(
            f"{model}: {count} streams, p50 {trial.p50_ms:.1f} ms, p99 {trial.p99_ms:.1f} ms, "
            f"{trial.server_cores:.2f} cores, client {trial.client_cores:.2f}",
            flush=True,
        )
        yield trial
        if trial.held:
            held = count
        else:
            late = count
        if late is None and held < most:
            count = min(2 * held, most)
        elif late is not None and late - held > max(held, FIRST) / 2**HALVINGS:
            count = (held + late) // 2
        else:
            print(f"{model}: {held} live streams with p99 < {LIMIT_MS:g} ms")
            return


def try_streams(server: Server, model: str, streams: int, seconds: float) -> Trial:
    """One trial, its client in a process of its own."""
    asked = OurStreams(server.port, model, streams, STEPS, binary=False)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(_run, server, asked, seconds).result()


def _run(server: Server, asked: OurStreams, seconds: float) -> Trial:
    return uvloop.run(_live(server, asked, seconds))


async def _live(server: Server, asked: OurStreams, seconds: float) -> Trial:
    sockets = await asked.websockets()
    gc.disable()  # to look through a thousand sockets takes the client longer than an answer may
    server_cpu, client_cpu = cpu_seconds(server.pid), time.process_time()
    start = time.perf_counter()
    chunks = max(int(seconds * RATE_HZ / STEPS), 1)
    phases = np.arange(len(sockets)) / len(sockets)
    await asyncio.gather(
        *(
            _speak(socket, start + STEPS / RATE_HZ * phase, chunks)
            for socket, phase in zip(sockets, phases, strict=True)
        )
    )
    elapsed = time.perf_counter() - start
    cpu = cpu_seconds(server.pid) - server_cpu, time.process_time() - client_cpu
    latencies = [latency for socket in sockets for latency in socket.latencies]
    latencies += [wait for socket in sockets for wait in socket.waits]
    p50, p99 = (1e3 * float(value) for value in np.percentile(latencies, (50, 99)))
    await asyncio.gather(*(socket.close() for socket in sockets))
    return Trial(len(sockets), p50, p99, cpu[0] / elapsed, cpu[1] / elapsed)


async def _speak(socket: Websocket, first: float, chunks: int) -> None:
    """All its chunks, then a while for the last answer."""
    await socket.pace(first, STEPS / RATE_HZ, chunks)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(socket.settled.wait(), LATE)
    if not socket.is_open:
        raise ServerError("the server closed a live stream")
