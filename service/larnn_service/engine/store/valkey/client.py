"""Asks whichever server has a key, and another one where that does not serve any more."""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    ReadOnlyError,
    RedisClusterException,
    TryAgainError,
)
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import TimeoutError as NotInTime

from larnn_service.engine.store.valkey.address import Address
from larnn_service.engine.store.valkey.awaited import Awaited
from larnn_service.engine.store.valkey.lane import Command, Lane
from larnn_service.engine.store.valkey.servers import connect

PAUSE = 0.05
"""Seconds between two tries."""
_ELSEWHERE = (
    AskError,
    ClusterDownError,
    NotConnected,
    NotInTime,
    OSError,
    ReadOnlyError,
    RedisClusterException,
    TryAgainError,
)
"""What a server answers, or does not, of which another may have taken its place."""


class Valkey:
    """All servers of an address as one."""

    def __init__(
        self, address: Address, *, connections: int, awaited: Awaited, timeout: float
    ) -> None:
        """`connections`: to each server; `timeout`: seconds for each answer."""
        self.address = address
        self.awaited = awaited
        self._timeout = timeout

        def lane(client: Redis) -> Lane:
            return Lane(client, connections, awaited, timeout)

        self._servers = connect(address, lane, timeout)

    async def ask(self, command: Command, *, patient: bool = True) -> Any:
        """The answer; while there is time it is asked for again, of whoever serves then.

        Not `patient`, it is asked for once. Raises RedisError, RedisClusterException, OSError.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._timeout
        last: Exception | None = None
        while True:
            lane: Lane | None = None
            renewals = 0
            try:
                async with asyncio.timeout_at(until):
                    lane = await self._servers.lane(command.key)
                    renewals = lane.renewals
                    return await self._follow(lane, command)
            except _ELSEWHERE as error:
                if lane is not None and lane.renewals == renewals:  # nobody else has met it
                    await self._servers.renew(lane)
                if loop.time() + PAUSE >= until:
                    raise (last or error) from None
                if not patient:
                    raise
                last = error
            await asyncio.sleep(PAUSE)

    async def keys(self) -> list[str]:
        """One for each server, to try all with. Raises as `ask` does."""
        async with asyncio.timeout(self._timeout):
            return await self._servers.keys()

    async def close(self) -> None:
        """Let go of connections."""
        await self._servers.close()

    async def _follow(self, lane: Lane, command: Command) -> Any:
        """Where a key is on its way from one server to another, the other one is asked."""
        try:
            return await lane.ask(command)
        except MovedError:
            raise
        except AskError as ask:
            there = await self._servers.named(str(ask.host), int(ask.port))
            return await there.ask(command, asking=True)
