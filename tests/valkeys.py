"""Several real servers together: a cluster with replicas, and a server with Sentinels.

Each is a process of this machine on a free port, with short times: a failover takes seconds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import redis

from benchmarks.server import free_port
from tests.valkey import Server, until

SERVICE = "streams"
"""The name under which Sentinels know their server."""
SILENT_MS = 1500
"""A server that is silent for so long is taken for dead."""


@contextlib.contextmanager
def ahead(primary: Server, replicas: list[Server]) -> Iterator[None]:
    """What the primary takes in this block, its replicas lack."""
    with ExitStack() as stack:
        for replica in replicas:
            stack.enter_context(replica.paused())
        primary.ask("CLIENT KILL TYPE", "replica")  # else their kernels hear for them
        yield


@dataclass
class Cluster:
    """Primaries with a third of the slots each, and a replica each."""

    nodes: list[Server]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes if node.runs)
        return f"redis+cluster://{hosts}"

    def kill_primary(self, key: str) -> Server:
        """Kill the one that has the key."""
        primary = self._primary(key)
        primary.kill()
        return primary

    def fail_over(self, key: str) -> Server:
        """Kill the one that has the key; what is killed, once another has its place.

        Started before, it would be the primary again, and without any stream.
        """
        killed = self.kill_primary(key)
        until(lambda: self._primary(key).runs and self.is_whole(), "no replica was promoted")
        return killed

    def shard(self, key: str = "any") -> tuple[Server, list[Server]]:
        """The primary that has the key, and the replicas that follow it."""
        primary = self._primary(key)
        return primary, [node for node in self.nodes if node.follows(primary)]

    def is_promoted(self) -> bool:
        """Whether every slot has a primary that runs."""
        with self.client() as client:
            ports = {node.port for node in client.get_primaries()}
        return self.is_whole() and ports <= {node.port for node in self.nodes if node.runs}

    def _primary(self, key: str) -> Server:
        with self.client() as client:
            found = client.get_node_from_key(key)
        assert found is not None
        [node] = [mine for mine in self.nodes if mine.port == found.port]
        return node

    def is_whole(self) -> bool:
        """Whether every slot is served, as all that run see it."""
        states = {node.ask("CLUSTER INFO")["cluster_state"] for node in self.nodes if node.runs}
        return states == {"ok"}

    def client(self) -> redis.RedisCluster:
        """As an operator has it."""
        living = next(node for node in self.nodes if node.runs)
        return redis.RedisCluster("127.0.0.1", living.port)


@contextlib.contextmanager
def cluster(folder: Path, **options: Any) -> Iterator[Cluster]:
    """Three primaries, a replica for each, all slots served and all replicas up to date."""
    primaries = 3
    with ExitStack() as stack:
        nodes = []
        for number in range(2 * primaries):
            own = {"cluster-enabled": "yes", "cluster-node-timeout": SILENT_MS}
            own |= {"save": '""', "repl-diskless-sync-delay": 0, "cluster-port": free_port()}
            nodes.append(node := Server(folder / str(number), own | options))
            stack.callback(node.kill)
            node.start()
        _join(nodes, primaries)
        made = Cluster(nodes)
        until(made.is_whole, "the cluster does not come together")
        yield made


def _join(nodes: list[Server], primaries: int) -> None:
    bounds = [16384 * number // primaries for number in range(primaries + 1)]
    for node, first, end in zip(nodes, bounds, bounds[1:], strict=False):
        node.ask("CLUSTER ADDSLOTSRANGE", first, end - 1)
    for number, node in enumerate(nodes):
        node.ask("CLUSTER SET-CONFIG-EPOCH", number + 1)
        nodes[0].ask("CLUSTER MEET", "127.0.0.1", node.port, node.options["cluster-port"])
    for node in nodes:
        until(partial(_knows, node, len(nodes)), "the nodes do not meet")
    for primary, replica in zip(nodes, nodes[primaries:], strict=False):
        name = str(primary.ask("CLUSTER MYID"), "ascii")
        until(partial(_replicates, replica, name), "a node does not become a replica")
    for replica in nodes[primaries:]:
        until(replica.is_up_to_date, "a replica is not up to date")


def _knows(node: Server, others: int) -> bool:
    return int(node.ask("CLUSTER INFO")["cluster_known_nodes"]) == others


def _replicates(node: Server, primary: str) -> bool:
    return bool(node.ask("CLUSTER REPLICATE", primary))


@dataclass
class Watched:
    """A server, its replicas, and the Sentinels that promote one of them."""

    servers: list[Server]
    sentinels: list[Server]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.sentinels)
        return f"redis+sentinel://{hosts}/{SERVICE}"

    def primary(self) -> Server:
        """The one that the Sentinels name."""
        _, port = self.sentinels[0].ask("SENTINEL GET-MASTER-ADDR-BY-NAME", SERVICE)
        [node] = [server for server in self.servers if server.port == int(port)]
        return node

    def shard(self) -> tuple[Server, list[Server]]:
        """The server that the Sentinels name, and those that follow it."""
        primary = self.primary()
        return primary, [node for node in self.servers if node.follows(primary)]

    def is_whole(self) -> bool:
        """Whether each Sentinel knows the others, and a server that runs."""
        for node in self.sentinels:
            with node.client() as client:
                known = client.sentinel_masters()[SERVICE]
            if known["num-other-sentinels"] < len(self.sentinels) - 1:
                return False
            if known["num-slaves"] < len(self.servers) - 1:
                return False
        return self.primary().runs

    def is_promoted(self) -> bool:
        """Whether the server that the Sentinels name runs, and takes writes."""
        primary = self.primary()
        return primary.runs and primary.ask("ROLE")[0] == b"master"

    def is_in_step(self) -> bool:
        """Whether the replicas have all that the primary has."""
        offsets = set()
        for node in self.servers:
            with node.client() as client:
                found = client.info("replication")
            offsets.add(found.get("slave_repl_offset", found["master_repl_offset"]))
        return len(offsets) == 1


@contextlib.contextmanager
def watched(folder: Path, replicas: int = 2, **options: Any) -> Iterator[Watched]:
    """Three Sentinels around a server and its replicas, which are up to date."""
    with ExitStack() as stack:
        servers: list[Server] = []
        for number in range(1 + replicas):
            own = {"save": '""', "repl-diskless-sync-delay": 0} | options
            if servers:
                own["replicaof"] = f"127.0.0.1 {servers[0].port}"
            servers.append(node := Server(folder / f"server{number}", own))
            stack.callback(node.kill)
            node.start()
        for node in servers[1:]:
            until(node.is_up_to_date, "a replica is not up to date")
        sentinels = []
        for number in range(3):
            own = {
                "sentinel": f"monitor {SERVICE} 127.0.0.1 {servers[0].port} 2\n"
                f"sentinel down-after-milliseconds {SERVICE} {SILENT_MS}\n"
                f"sentinel failover-timeout {SERVICE} 6000",
            }
            sentinels.append(node := Server(folder / f"sentinel{number}", own, sentinel=True))
            stack.callback(node.kill)
            node.start()
        made = Watched(servers, sentinels)
        until(made.is_whole, "the Sentinels do not see each other")
        yield made
