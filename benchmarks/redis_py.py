"""What a checkpoint costs the servers, and what it costs redis-py with nothing around it."""

from __future__ import annotations

import time
from collections.abc import Iterable

import redis
from redis.asyncio import Redis

from larnn_service.engine.store.valkey import scripts
from larnn_service.engine.store.valkey.address import read
from larnn_service.engine.store.valkey.lane import Command

_TTL = 60_000
"""Milliseconds for which what is written is kept."""


class Servers:
    """Those that an address names, all of a cluster's primaries where it names them all."""

    def __init__(self, store: str) -> None:
        """`store`: as LARNN_STORE. None where it is no server, nor a cluster."""
        self._clients: list[redis.Redis] = []
        if store.partition(":")[0] in ("redis", "redis+cluster"):
            address = read(store)
            self._clients = [redis.Redis(*node, **address.options) for node in address.nodes]

    def cpu(self) -> list[float]:
        """Seconds of CPU time that each has used since it began."""
        told = [client.info("cpu") for client in self._clients]
        return [one["used_cpu_user"] + one["used_cpu_sys"] for one in told]


async def bare(store: str, data: bytes, streams: int, rounds: int) -> dict[str, float]:
    """The least that is possible with redis-py: the same scripts, one pipeline for all streams."""
    address = read(store)
    [(host, port)] = address.nodes
    names = [f"{scripts.STREAM}bare-{number}" for number in range(streams)]
    async with Redis(host=host, port=port, **address.options) as client:
        created = [scripts.run(scripts.CREATE, name, _TTL, "bare", 1, data) for name in names]
        fences = dict(zip(names, await _together(client, created), strict=True))
        began, cpu = time.perf_counter(), time.process_time()
        for _ in range(rounds):
            saves = (
                scripts.run(scripts.SAVE, name, _TTL, _TTL, fence, data, 1)
                for name, fence in fences.items()
            )
            assert set(await _together(client, saves)) == {b"saved"}
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        await client.delete(*names)
    count = streams * rounds
    return {"redis_py_per_second": count / wall, "redis_py_cpu_us": cpu / count * 1e6}


async def _together(client: Redis, commands: Iterable[Command]) -> list[int | bytes]:
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command.words)
    answers: list[int | bytes] = await pipeline.execute()
    return answers
