"""Which server has a key: the only one, the one that Sentinels name, or one of a cluster's."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextvars import Context
from typing import Any, Protocol

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.crc import REDIS_CLUSTER_HASH_SLOTS
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import SlotNotCoveredError

from larnn_service.engine.store.valkey.address import Address
from larnn_service.engine.store.valkey.lane import Lane
from larnn_service.engine.store.valkey.scripts import PROBE

NewLane = Callable[[Redis], Lane]


class Servers(Protocol):
    """Lanes by key. What is asked of one that does not serve is asked again after `renew`."""

    async def lane(self, key: str) -> Lane:
        """Of the server that has the key. Raises RedisError, RedisClusterException, OSError."""
        ...

    async def named(self, host: str, port: int) -> Lane:
        """Of the server at this address."""
        ...

    async def keys(self) -> list[str]:
        """One for each server, to try it with."""
        ...

    async def renew(self, lane: Lane) -> None:
        """This lane's server does not serve: look again who does."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


def connect(address: Address, new: NewLane, timeout: float) -> Servers:
    """The servers of the address; nobody is asked yet. `timeout`: seconds for an answer."""
    options: dict[str, Any] = address.options | _times(timeout)
    if address.kind == "cluster":
        return Cluster(address.nodes, options, new)
    if address.kind == "sentinel":
        quick = _times(timeout / (len(address.nodes) + 1))
        sentinels = Sentinel(  # type: ignore[no-untyped-call]
            address.nodes, sentinel_kwargs=address.sentinel_options | quick, **options
        )
        return One(new(sentinels.master_for(address.service)), sentinels)
    path = options.pop("path", None)
    if path is not None:
        return One(new(Redis(unix_socket_path=path, **options)))
    [(host, port)] = address.nodes
    return One(new(Redis(host=host, port=port, **options)))


def _times(timeout: float) -> dict[str, Any]:
    """A connection that has ended is made anew once, at once."""
    return {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 1, supported_errors=(NotConnected,)),
    }


class One:
    """A server for all keys. Sentinels say at each new connection which one it is."""

    def __init__(self, lane: Lane, sentinels: Sentinel | None = None) -> None:
        self._lane = lane
        self._sentinels = sentinels

    async def lane(self, key: str) -> Lane:
        return self._lane

    async def named(self, host: str, port: int) -> Lane:
        return self._lane

    async def keys(self) -> list[str]:
        return [PROBE]

    async def renew(self, lane: Lane) -> None:
        await lane.renew()

    async def close(self) -> None:
        await self._lane.close()
        if self._sentinels is not None:
            await self._sentinels.aclose()


class Cluster:
    """A lane for each primary, as `CLUSTER SLOTS` of any node tells them."""

    def __init__(self, nodes: list[tuple[str, int]], options: dict[str, Any], new: NewLane) -> None:
        """`nodes`: where to begin; those that are found are asked later, too."""
        self._nodes = nodes
        self._options = options
        self._new = new
        self._lanes: dict[tuple[str, int], Lane] = {}
        self._map: RedisCluster | None = None
        self._look: asyncio.Task[RedisCluster] | None = None
        self._ending: set[asyncio.Task[None]] = set()
        """Lanes of nodes that are no primaries any more."""

    async def lane(self, key: str) -> Lane:
        node = (await self._slots()).get_node_from_key(key)
        assert node is not None
        return await self.named(node.host, int(node.port))

    async def named(self, host: str, port: int) -> Lane:
        if (lane := self._lanes.get((host, port))) is None:
            lane = self._new(Redis(host=host, port=port, **self._options))
            self._lanes[host, port] = lane
        return lane

    async def keys(self) -> list[str]:
        slots = await self._slots()
        if len(slots.nodes_manager.slots_cache) < REDIS_CLUSTER_HASH_SLOTS:
            raise SlotNotCoveredError("some streams have no server")
        missing = {node.name for node in slots.get_primaries()}
        found: list[str] = []
        for number in itertools.count():
            if not missing:
                return found
            node = slots.get_node_from_key(key := f"{PROBE}{number}")
            if node is not None and node.name in missing:
                missing.remove(node.name)
                found.append(key)
        raise AssertionError

    async def renew(self, lane: Lane) -> None:
        if lane in self._lanes.values():  # else others have looked since
            await lane.renew()
            self._map = None

    async def close(self) -> None:
        if self._look is not None:
            await asyncio.wait([self._look])
        await asyncio.gather(*self._ending, *[lane.close() for lane in self._lanes.values()])
        self._lanes.clear()

    async def _slots(self) -> RedisCluster:
        """Which node has which slots. Raises RedisClusterException where none says.

        All who ask at the same time wait for one look, which goes on where one of them has no time
        left: what it has opened is closed.
        """
        if self._map is not None:
            return self._map
        if self._look is None:
            self._look = asyncio.create_task(self._looked(), context=Context())
            self._look.add_done_callback(self._seen)
        return await asyncio.shield(self._look)

    def _seen(self, look: asyncio.Task[RedisCluster]) -> None:
        self._look = None
        if not look.cancelled() and look.exception() is None:
            self._map = look.result()

    async def _looked(self) -> RedisCluster:
        nodes = dict.fromkeys([*self._lanes, *self._nodes])
        found = RedisCluster(
            startup_nodes=[ClusterNode(host, port) for host, port in nodes],
            require_full_coverage=False,
            **self._options,
        )
        try:
            await found.nodes_manager.initialize()
        finally:
            await found.nodes_manager.aclose("startup_nodes")
        await found.nodes_manager.aclose()
        primaries = {(node.host, int(node.port)) for node in found.get_primaries()}
        for gone in self._lanes.keys() - primaries:
            task = asyncio.create_task(self._lanes.pop(gone).close(), context=Context())
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        return found
