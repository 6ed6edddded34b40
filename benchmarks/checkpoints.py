"""What a checkpoint costs: bytes, CPU time of this process, and how many a second a store takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
import uvloop
from msgspec.structs import replace

from benchmarks.measure import write
from benchmarks.redis_py import Servers, bare
from larnn_service.backend.model_repository import Repository, load_model
from larnn_service.contract import Manifest
from larnn_service.engine.store.factory import open_store
from larnn_service.engine.store.interface import Head, Store
from larnn_service.engine.streams.checkpoint import Checkpoint, decode, encode

KEPT = 100
"""Steps whose answers a checkpoint carries."""


def checkpoints(
    store: Annotated[str, typer.Option(help="as LARNN_STORE")] = "memory",
    streams: Annotated[int, typer.Option(help="how many are written at the same time")] = 200,
    rounds: Annotated[int, typer.Option(help="checkpoints of each")] = 10,
    models: Path = Path("models"),
    model: str = "larnn-har",
    output: Path | None = None,
) -> None:
    """Bytes and time of a stream's checkpoint, and a store's throughput."""
    start = _checkpoint(load_model(Repository(models).newest(model), "cpu").manifest)
    data = encode(start)
    record: dict[str, Any] = {
        "store": store.partition(":")[0],
        "bytes": len(data),
        "bytes_of_logits": start.outputs.nbytes,
        "encode_us": _microseconds(lambda: encode(start)),
        "decode_us": _microseconds(lambda: decode(data, 1)),
    }
    place = open_store(store, ttl=60, timeout=30)
    place.prepare()
    record |= uvloop.run(_saves(place, start, streams, rounds, Servers(store)))
    if store.startswith("redis://"):
        record |= uvloop.run(bare(store, data, streams, rounds))
    for name, value in record.items():
        print(f"{name:24} {value if isinstance(value, str) else format(value, ',.6g')}")
    write(record, output)


def _checkpoint(manifest: Manifest) -> Checkpoint:
    random = np.random.default_rng(0)
    contract = manifest.contract
    state = {
        tensor.name: np.asarray(random.normal(size=tensor.shape), dtype=tensor.dtype)
        for tensor in contract.state
    }
    logits = random.normal(size=(KEPT, len(contract.labels))).astype(np.float32)
    return Checkpoint("0" * 48, manifest.name, manifest.version, KEPT, logits, state)


def _microseconds(work: Callable[[], object], times: int = 1000) -> float:
    began = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - began) / times * 1e6


async def _saves(
    store: Store, start: Checkpoint, streams: int, rounds: int, servers: Servers
) -> dict[str, float]:
    """Of one stream alone, then of all at the same time; opening and erasing them is not timed."""
    opened = [await _open(store, start, number) for number in range(streams)]
    await asyncio.gather(*(_save(store, mine, 1) for mine in opened))  # its connections are made
    alone = await _save(store, opened[0], rounds)
    theirs = servers.cpu()
    began, cpu = time.perf_counter(), time.process_time()
    together = await asyncio.gather(*(_save(store, mine, rounds) for mine in opened))
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    theirs = [after - before for before, after in zip(theirs, servers.cpu(), strict=True)]
    times = np.concatenate(together)
    await asyncio.gather(*(store.delete(mine.stream) for mine in opened))
    await store.close()
    figures = {
        "alone_p50_ms": float(np.median(alone)) * 1e3,
        "together": streams,
        "checkpoints_per_second": len(times) / wall,
        "together_p50_ms": float(np.median(times)) * 1e3,
        "together_p99_ms": float(np.percentile(times, 99)) * 1e3,
        "cpu_us": cpu / len(times) * 1e6,
    }
    if theirs:
        figures["busiest_server_cpu_us"] = max(theirs) / len(times) * 1e6
    return figures


async def _open(store: Store, start: Checkpoint, number: int) -> Checkpoint:
    mine = replace(start, stream=f"{number:048x}")
    head = await store.create(mine)
    assert isinstance(head, Head)
    return replace(mine, fence=head.fence)


async def _save(store: Store, mine: Checkpoint, rounds: int) -> list[float]:
    """Seconds of each checkpoint of a stream."""
    times = []
    for position in range(KEPT, KEPT + rounds):
        began = time.perf_counter()
        assert await store.save(replace(mine, position=position)) == "saved"
        times.append(time.perf_counter() - began)
    return times
