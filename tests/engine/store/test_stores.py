"""The same tests over every store: memory, SQLite, and a real Valkey or Redis server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from larnn_service.engine.store.factory import open_store
from larnn_service.engine.store.interface import Head, Store
from larnn_service.engine.store.memory import MemoryStore
from larnn_service.engine.store.valkey.awaited import NONE, Awaited
from tests import valkeys
from tests.engine.store.streams import checkpoint, create
from tests.engine.streams.test_checkpoint import same

KINDS = ["memory", "sqlite", "valkey", "cluster", "sentinel"]
AWAITED = {"cluster": Awaited(1), "sentinel": Awaited(2)}


def address(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    fixtures = {
        "valkey": "valkey_server",
        "cluster": "valkey_cluster",
        "sentinel": "valkey_watched",
    }
    if kind in fixtures:
        return str(request.getfixturevalue(fixtures[kind]).url)
    return "memory" if kind == "memory" else f"sqlite:///{folder / 'streams.db'}"


def opened(kind: str, request: pytest.FixtureRequest, folder: Path, ttl: float = 60) -> Store:
    """The store, which waits for replicas where there are any."""
    awaited = AWAITED.get(kind, NONE)
    store = open_store(address(kind, request, folder), ttl=ttl, timeout=30, awaited=awaited)
    store.prepare()
    return store


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    store = opened(request.param, request, tmp_path)
    yield store
    await store.close()


@pytest.fixture(params=KINDS)
async def forgetful(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """A store whose streams expire at once."""
    if request.param == "memory":
        store: Store = MemoryStore(ttl=0)
    else:
        store = opened(request.param, request, tmp_path, ttl=0.001)
    yield store
    await store.close()


async def test_a_key_names_its_living_stream(store: Store, name: str) -> None:
    key = f"key of {name}"
    assert await store.named(key) is None
    await create(store, name, key)
    assert await store.named(key) == name
    await store.delete(name)
    assert await store.named(key) is None


async def test_a_key_of_an_expired_stream_names_nothing(forgetful: Store, name: str) -> None:
    key = f"key of {name}"
    await create(forgetful, name, key)
    async with asyncio.timeout(30):
        while await forgetful.named(key):
            pass


async def test_what_is_saved_is_read_again(store: Store, name: str) -> None:
    mine = await create(store, name)
    loaded = await store.load(name)
    assert loaded is not None and same(loaded, mine)
    later = checkpoint(name, 5, mine.fence)
    assert await store.save(later) == "saved"
    loaded = await store.load(name)
    assert loaded is not None and same(loaded, later)
    assert await store.head(name) == Head(mine.fence, "toy", 1)


async def test_a_migrated_stream_is_found_under_its_new_version(store: Store, name: str) -> None:
    mine = await create(store, name)
    moved = replace(checkpoint(name, 5, mine.fence), version=2)
    assert await store.save(moved) == "saved"
    assert await store.head(name) == Head(mine.fence, "toy", 2)
    taken = await store.take(name)
    assert taken is not None and taken.version == 2


async def test_only_the_newest_fence_saves(store: Store, name: str) -> None:
    older = await create(store, name)
    newer = await store.take(name)
    assert newer is not None and newer.fence > older.fence
    assert await store.save(checkpoint(name, 7, older.fence)) == "moved"
    assert await store.save(checkpoint(name, 9, newer.fence)) == "saved"
    assert await store.save(checkpoint(name, 11, older.fence)) == "moved"
    loaded = await store.load(name)
    assert loaded is not None and (loaded.position, loaded.fence) == (9, newer.fence)


async def test_a_fence_that_the_store_has_not_given_saves_nothing(store: Store, name: str) -> None:
    """As after a loss of writes: the store's fence is older than the owner's."""
    mine = await create(store, name)
    assert await store.save(checkpoint(name, 1, mine.fence + 1)) == "moved"


async def test_taken_at_the_same_time_all_fences_differ(store: Store, name: str) -> None:
    await create(store, name)
    taken = await asyncio.gather(*(store.take(name) for _ in range(20)))
    fences = [one.fence for one in taken if one is not None]
    assert len(set(fences)) == 20
    outcomes = [await store.save(checkpoint(name, 1, fence)) for fence in sorted(fences)]
    assert outcomes == ["moved"] * 19 + ["saved"]


async def test_a_deleted_stream_is_no_free_fence(store: Store, name: str) -> None:
    mine = await create(store, name)
    await store.delete(name)
    assert await store.save(mine) == "gone"
    assert await store.take(name) is None
    assert await store.load(name) is None
    assert await store.head(name) is None
    await store.delete(name)


async def test_an_expired_stream_is_no_free_fence(forgetful: Store, name: str) -> None:
    mine = await create(forgetful, name, key=name)
    async with asyncio.timeout(30):
        while await forgetful.head(name):
            pass
    assert await forgetful.save(mine) == "gone"
    assert await forgetful.take(name) is None
    await forgetful.purge()
    assert isinstance(await forgetful.create(checkpoint(name + "again"), name), Head)


async def test_of_many_that_open_with_one_key_at_once_one_stream_comes(
    store: Store, name: str
) -> None:
    """Also where the key named a stream that has been deleted."""
    for turn in range(3):
        names = [f"{name} {turn} {number}" for number in range(20)]
        found = await asyncio.gather(*(store.create(checkpoint(one), name) for one in names))
        living = [one for one in names if await store.head(one)]
        assert len(living) == 1
        assert {one for one in found if isinstance(one, str)} <= set(living)
        assert sum(isinstance(one, Head) for one in found) <= 1
        assert await store.named(name) == living[0]
        await store.delete(living[0])


async def test_a_key_lives_as_long_as_its_stream_is_written(
    request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    """In a cluster they are of two servers: the one is renewed when the other is."""
    store = opened("cluster", request, tmp_path)
    mine = await create(store, name, key=name)
    cluster: valkeys.Cluster = request.getfixturevalue("valkey_cluster")
    with cluster.client() as client:
        stream = f"larnn:stream:{name}"
        [key] = [
            found for found in client.scan_iter("larnn:key:*") if client.get(found) == name.encode()
        ]
        for renewing in (lambda: store.save(mine), lambda: store.take(name)):
            client.pexpire(key, 30_000)
            client.hset(stream, "renewed", 0)
            await renewing()
            assert client.pttl(key) > client.pttl(stream) > 30_000
            client.pexpire(key, 30_000)
            await store.save(mine)  # not each time
            assert client.pttl(key) <= 30_000
    await store.close()


async def test_a_key_names_one_living_stream(store: Store, name: str) -> None:
    mine = await create(store, name, key=name)
    assert await store.create(checkpoint(name + "second"), name) == mine.stream
    assert await store.head(name + "second") is None
    await store.delete(name)
    await create(store, name + "third", key=name)


@pytest.mark.parametrize("kind", KINDS[1:])
async def test_the_secret_of_the_first_use_is_kept(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    kept = set()
    for fresh in ("one", "another"):
        store = opened(kind, request, tmp_path)
        kept.add(store.keep_secret(fresh))
        await store.close()
    assert len(kept) == 1
