"""A server that does not serve any more: the one in its place is found, and nobody notices."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from larnn_service.engine.store.factory import open_store
from larnn_service.engine.store.interface import Head, Store
from larnn_service.engine.store.valkey.awaited import Awaited
from larnn_service.errors import Unavailable
from tests import valkey, valkeys
from tests.engine.store.streams import checkpoint
from tests.until import WITHIN

pytestmark = pytest.mark.usefixtures("valkey_program")


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[valkey.Server, valkey.Server]]:
    """A server and its replica."""
    with ExitStack() as stack:
        nodes = []
        for name in ("first", "second"):
            options = {"save": '""', "repl-diskless-sync-delay": 0}
            options |= {"appendonly": "yes", "appendfsync": "always"}
            nodes.append(node := valkey.Server(tmp_path / name, options))
            stack.callback(node.kill)
            node.start()
        first, second = nodes
        second.ask("REPLICAOF", "127.0.0.1", first.port)
        valkey.until(second.is_up_to_date, "the replica is not up to date")
        yield first, second


class Door:
    """An address that leads to the server at `port`, as one of a cloud does."""

    def __init__(self, port: int) -> None:
        self.port = port

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._pass, "127.0.0.1")
        async with server:
            yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                await asyncio.gather(_copy(reader, there[1]), _copy(there[0], writer))
            finally:
                there[1].transport.abort()
        except ConnectionRefusedError:  # the server has been killed
            pass
        finally:
            writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


async def create(store: Store, name: str, key: str | None = None) -> int:
    head = await store.create(checkpoint(name), key)
    assert isinstance(head, Head)
    return head.fence


async def _until_it_serves(store: Store) -> None:
    """It is tried again each second."""
    async with asyncio.timeout(WITHIN):
        while await store.health.check():
            with contextlib.suppress(Unavailable):
                await store.head("whoever asks")


async def prepared(address: str, awaited: int = 0, within: float = 30) -> Store:
    """Not in the loop: the address may be one of its own."""
    store = open_store(address, ttl=60, timeout=within, awaited=Awaited(awaited))
    await asyncio.to_thread(store.prepare)
    return store


@pytest.mark.parametrize("end", ["demoted", "killed"])
async def test_an_address_that_leads_to_another_server_is_followed(
    pair: tuple[valkey.Server, valkey.Server], end: str
) -> None:
    first, second = pair
    door = Door(first.port)
    async with door.open() as address:
        store = await prepared(address)
        fences = [await create(store, f"stream {number}") for number in range(20)]
        valkey.until(lambda: second.ask("DBSIZE") >= 20, "the replica lags")
        second.ask("REPLICAOF", "NO", "ONE")
        if end == "demoted":  # its connections stay, and refuse each write
            first.ask("REPLICAOF", "127.0.0.1", second.port)
        else:
            first.kill()
        door.port = second.port
        saves = [store.save(checkpoint(f"stream {n}", 5, fence)) for n, fence in enumerate(fences)]
        assert set(await asyncio.gather(*saves)) == {"saved"}
        assert await store.health.check() == ""
        assert second.ask("DBSIZE") >= 20
        await store.close()


async def test_a_slot_that_moves_takes_its_streams_with_it(tmp_path: Path) -> None:
    """While it is on its way the old server says ASK, afterwards MOVED."""
    with valkeys.cluster(tmp_path) as cluster:
        store = await prepared(cluster.url, awaited=1)
        fence = await create(store, "travels")
        key = "larnn:stream:travels"
        with cluster.client() as client:
            slot, primaries = client.keyslot(key), client.get_primaries()
            source = client.get_node_from_key(key)
        old, new = (
            next(node for node in cluster.nodes if node.port == found.port)
            for found in sorted(primaries, key=lambda one: one != source)[:2]
        )
        names = {node.port: str(node.ask("CLUSTER MYID"), "ascii") for node in (old, new)}
        new.ask("CLUSTER SETSLOT", slot, "IMPORTING", names[old.port])
        old.ask("CLUSTER SETSLOT", slot, "MIGRATING", names[new.port])
        assert await store.save(checkpoint("travels", 1, fence)) == "saved"
        old.ask("MIGRATE", "127.0.0.1", new.port, key, 0, 5000)
        for position in range(2, 5):  # by ASK
            assert await store.save(checkpoint("travels", position, fence)) == "saved"
        for node in (new, old):
            node.ask("CLUSTER SETSLOT", slot, "NODE", names[new.port])
        assert await store.save(checkpoint("travels", 5, fence)) == "saved"
        loaded = await store.load("travels")
        assert loaded is not None and loaded.position == 5
        assert store.health.reason == ""
        await store.close()


async def test_who_has_failed_is_told_by_readiness_until_another_serves(tmp_path: Path) -> None:
    """No replica is left to be promoted: the others go on, and what it had is unavailable."""
    with valkeys.cluster(tmp_path, **{"cluster-require-full-coverage": "no"}) as cluster:
        store = await prepared(cluster.url, within=0.5)
        names = [f"stream {number}" for number in range(30)]
        for name in names:
            await create(store, name)
        killed = cluster.kill_primary(f"larnn:stream:{names[0]}")
        with pytest.raises(Unavailable):
            await store.load(names[0])
        assert await store.health.check() == "Valkey: ConnectionError"
        found = await asyncio.gather(*map(store.load, names), return_exceptions=True)
        assert any(isinstance(one, Unavailable) for one in found)
        assert not all(isinstance(one, Unavailable) for one in found)
        assert not killed.runs
        await _until_it_serves(store)
        assert all([await store.load(name) for name in names])
        await store.close()


async def test_a_disk_that_is_awaited(pair: tuple[valkey.Server, valkey.Server]) -> None:
    first, second = pair
    try:
        first.ask("WAITAOF", 0, 0, 1)
    except redis.ResponseError:
        pytest.skip("this server has no WAITAOF")
    awaited = Awaited(1, on_disk=True)
    store = open_store(f"redis://127.0.0.1:{first.port}", ttl=60, timeout=3, awaited=awaited)
    store.prepare()
    fence = await create(store, "one")
    assert await store.save(checkpoint("one", 1, fence)) == "saved"
    with second.paused(), pytest.raises(Unavailable):
        await store.save(checkpoint("one", 2, fence))
    assert await store.health.check() == "Valkey: 0 of 1 replicas have what was written"
    await _until_it_serves(store)
    assert await store.save(checkpoint("one", 2, fence)) == "saved"
    await store.close()
