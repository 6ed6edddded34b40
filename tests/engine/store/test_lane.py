"""Many commands at the same time: none waits without need, and each gets an answer of its own."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import MovedError

from benchmarks.server import free_port
from larnn_service.engine.store.valkey.address import read
from larnn_service.engine.store.valkey.awaited import NONE
from larnn_service.engine.store.valkey.client import Valkey
from larnn_service.engine.store.valkey.lane import TOGETHER, Command, Lane
from tests import valkey, valkeys

WITHIN = 60.0
"""Seconds; the machine may be busy."""
MANY = 32
"""Commands that meet the same fault."""


@asynccontextmanager
async def opened(port: int, connections: int) -> AsyncIterator[Lane]:
    lane = Lane(Redis(port=port), connections, NONE, WITHIN)
    try:
        yield lane
    finally:
        await lane.close()


def started(lane: Lane, *commands: list[Any]) -> list[asyncio.Task[Any]]:
    """Asked, all in one turn of the loop."""
    asked: list[Coroutine[Any, Any, Any]] = [lane.ask(Command("", words)) for words in commands]
    return list(map(asyncio.create_task, asked))


@pytest.mark.parametrize("connections", [1, 3])
async def test_every_command_of_a_large_burst_is_answered(
    valkey_server: valkey.Server, connections: int
) -> None:
    async with opened(valkey_server.port, connections) as lane, asyncio.timeout(WITHIN):
        for _ in range(3):  # those of the next begin as soon as the last are answered
            echoes = [["ECHO", str(number)] for number in range(500)]
            answers = await asyncio.gather(*started(lane, *echoes))
            assert answers == [str(number).encode() for number in range(500)]


@pytest.mark.parametrize("connections", [1, 3])
async def test_whoever_asks_at_the_moment_of_an_answer_is_answered(
    valkey_server: valkey.Server, connections: int
) -> None:
    async with opened(valkey_server.port, connections) as lane, asyncio.timeout(WITHIN):
        for _ in range(20):
            await asyncio.gather(*started(lane, *[["PING"]] * connections))


async def test_whatever_waits_is_told_when_the_lane_closes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with opened(silent.getsockname()[1], connections=1) as lane:
            tasks = started(lane, *[["PING"]] * (TOGETHER + MANY))
            connection, _ = await asyncio.to_thread(silent.accept)
            silent.close()
            closing = asyncio.create_task(lane.close())
            async with asyncio.timeout(WITHIN):
                await asyncio.wait(tasks[TOGETHER:])
            assert not any(task.done() for task in tasks[:TOGETHER])  # they are under way
            connection.close()
            await closing
            async with asyncio.timeout(WITHIN):
                told = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(one) for one in told} == {NotConnected}
            with pytest.raises(NotConnected, match="no more"):
                await lane.ask(Command("", ["PING"]))


async def test_each_gets_an_error_of_its_own_with_the_same_cause() -> None:
    async with opened(free_port(), connections=1) as lane:
        tasks = started(lane, *[["PING"]] * MANY)
        told = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(one) for one in told} == {NotConnected}
    assert len(set(map(id, told))) == MANY
    assert len({id(one.__cause__) for one in told if isinstance(one, Exception)}) == 1


async def test_a_fault_that_many_meet_is_looked_into_once(valkey_cluster: valkeys.Cluster) -> None:
    """A server says to all of them that it has not got the key: one of them looks who has."""
    nodes = valkey_cluster.nodes
    client = Valkey(read(valkey_cluster.url), connections=2, awaited=NONE, timeout=WITHIN)

    def looks() -> int:
        told = (node.ask("INFO", "commandstats") for node in nodes)
        return sum(one.get("cmdstat_cluster|slots", {"calls": 0})["calls"] for one in told)

    def is_held() -> bool:
        return any(node.ask("INFO", "clients")["blocked_clients"] for node in nodes)

    try:
        here, there, _ = await client.keys()
        gate = f"{{{here}}}{secrets.token_hex(8)}"
        misled, begun = Command(here, ["GET", there]), looks()
        held = [Command(here, ["BLPOP", gate, 0]), *[misled] * (MANY - 1)]
        tasks = [asyncio.create_task(client.ask(each, patient=False)) for each in held]
        await asyncio.to_thread(valkey.until, is_held, "nothing is held")
        more = [client.ask(misled, patient=False) for _ in range(MANY)]
        for task in [asyncio.create_task(each) for each in more]:
            with pytest.raises(MovedError):
                await task
        assert await client.ask(Command(here, ["RPUSH", gate, "go on"])) == 1
        for task in tasks[1:]:  # they have met the fault before, and hear of it now
            with pytest.raises(MovedError):
                await task
        assert await client.ask(Command(here, ["EXISTS", gate])) == 0
        assert looks() == begun + 1
    finally:
        await client.close()
