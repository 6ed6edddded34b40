"""Fields of a row that are not what the service wrote: told apart from a store that is away."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from msgspec.structs import replace

from larnn_service.engine.store.factory import open_store
from larnn_service.engine.store.interface import Head, Store
from larnn_service.engine.streams.checkpoint import DamagedCheckpoint, encode
from tests import valkey
from tests.engine.store.streams import checkpoint

Damage = Callable[[str, str, Any], None]
"""Gives a field of a stream another value; None removes it where a store can."""
ROWS: dict[str, list[Any]] = {
    "fence": ["abc", "", b"\xff", -1, 0, 2.5, 10**15, 2**63 - 1, "1" * 60],
    "model": [b"\xff\xfe", "", "m" * 65, "m" * 100_000],
    "version": ["abc", b"\xff", -1, 0, 2.5, 2**53, "1" * 60],
    "checkpoint": [b"", b"LARNN\x01", b"x" * 100_000, encode(checkpoint("another's"))],
}
CASES = [(field, value) for field, values in ROWS.items() for value in values]
NAMES = [f"{field} is {repr(value)[:12]}" for field, value in CASES]


@pytest.fixture(params=["sqlite", "valkey"])
async def place(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[Store, Damage]]:
    """A store, and how to damage what is in it."""
    if request.param == "sqlite":
        address = f"sqlite:///{tmp_path}/streams.db"

        def damage(stream: str, field: str, value: Any) -> None:
            with contextlib.closing(sqlite3.connect(tmp_path / "streams.db")) as db, db:
                db.execute(f"UPDATE streams SET {field} = ? WHERE id = ?", [value, stream])
    else:
        server: valkey.Server = request.getfixturevalue("valkey_server")
        address = server.url

        def damage(stream: str, field: str, value: Any) -> None:
            with redis.Redis.from_url(address) as client:
                if value is None:
                    client.hdel(f"larnn:stream:{stream}", field)
                else:
                    client.hset(f"larnn:stream:{stream}", field, value)

    store = open_store(address, ttl=60, timeout=30)
    store.prepare()
    yield store, damage
    await store.close()


async def is_refused_and_erased(store: Store, stream: str) -> None:
    for reading in (store.load, store.take):
        with pytest.raises(DamagedCheckpoint):
            await reading(stream)
    assert await store.save(checkpoint(stream, 1, 7)) in ("moved", "gone")
    assert await store.delete(stream)
    assert await store.head(stream) is None
    assert store.health.reason == ""


@pytest.mark.parametrize(("field", "value"), CASES, ids=NAMES)
async def test_a_damaged_field_is_no_stream_and_can_be_erased(
    place: tuple[Store, Damage], request: pytest.FixtureRequest, field: str, value: Any
) -> None:
    store, damage = place
    name = str(request.node.name)
    await store.create(checkpoint(name))
    damage(name, field, value)
    if field != "checkpoint":
        with pytest.raises(DamagedCheckpoint, match=field):
            await store.head(name)
    await is_refused_and_erased(store, name)


@pytest.mark.parametrize(("field", "value"), [("model", "other"), ("version", 2)])
async def test_a_row_that_disagrees_with_its_checkpoint_is_damaged(
    place: tuple[Store, Damage], request: pytest.FixtureRequest, field: str, value: Any
) -> None:
    store, damage = place
    name = str(request.node.name)
    await store.create(checkpoint(name))
    damage(name, field, value)
    await is_refused_and_erased(store, name)


@pytest.mark.parametrize("expires", ["tomorrow", b"\x00", 1e300, float("inf")])
async def test_a_damaged_time_of_expiry_in_sqlite_is_no_eternal_life(
    tmp_path: Path, expires: Any
) -> None:
    store = open_store(f"sqlite:///{tmp_path}/streams.db", ttl=60, timeout=30)
    store.prepare()
    await store.create(checkpoint("one"), "key")
    with contextlib.closing(sqlite3.connect(tmp_path / "streams.db")) as db, db:
        db.execute("UPDATE streams SET expires = ?", [expires])
    with pytest.raises(DamagedCheckpoint, match="expiry"):
        await store.head("one")
    assert await store.create(checkpoint("two"), "key") == "one"
    await store.purge()
    assert await store.head("one") is None
    assert isinstance(await store.create(checkpoint("two"), "key"), Head)
    await store.close()


@pytest.mark.parametrize("field", ["fence", "model", "version", "checkpoint"])
async def test_a_field_that_valkey_has_lost_is_damage(
    valkey_server: valkey.Server, request: pytest.FixtureRequest, field: str
) -> None:
    store = open_store(valkey_server.url, ttl=60, timeout=30)
    store.prepare()
    name = str(request.node.name)
    await store.create(checkpoint(name))
    with redis.Redis.from_url(valkey_server.url) as client:
        client.hdel(f"larnn:stream:{name}", field)
    await is_refused_and_erased(store, name)
    await store.close()


async def test_another_kind_of_value_in_valkey_is_damage(
    valkey_server: valkey.Server, request: pytest.FixtureRequest
) -> None:
    store = open_store(valkey_server.url, ttl=60, timeout=30)
    store.prepare()
    name, key = str(request.node.name), f"key of {request.node.name}"
    await store.create(checkpoint(name), key)
    with redis.Redis.from_url(valkey_server.url) as client:
        [kept] = [
            found for found in client.keys("larnn:key:*") if client.get(found) == name.encode()
        ]
        for damaged in (f"larnn:stream:{name}".encode(), kept):
            client.delete(damaged)
            client.rpush(damaged, "a list")
    assert await store.named(key) is None
    with pytest.raises(DamagedCheckpoint):
        await store.head(name)
    await is_refused_and_erased(store, name)
    assert isinstance(await store.create(checkpoint(f"{name} again"), key), Head)
    await store.close()


async def test_a_write_that_fails_fails_alone(tmp_path: Path) -> None:
    """SQLite has no integer so large."""
    store = open_store(f"sqlite:///{tmp_path}/streams.db", ttl=60, timeout=30)
    store.prepare()
    starts = [checkpoint(f"stream {number}") for number in range(20)]
    starts[7] = replace(starts[7], version=2**63)
    found = await asyncio.gather(*map(store.create, starts), return_exceptions=True)
    assert [type(one) for one in found] == [Head] * 7 + [OverflowError] + [Head] * 12
    assert all([await store.head(one.stream) for one in [*starts[:7], *starts[8:]]])
    await store.close()


async def test_a_file_that_was_put_back_is_found(tmp_path: Path) -> None:
    """Its first page of streams was overwritten; SQLite says so, and the store takes it back."""
    file = tmp_path / "streams.db"
    address = f"sqlite:///{file}"
    store = open_store(address, ttl=60, timeout=30)
    store.prepare()
    await store.create(checkpoint("one"))
    await store.close()
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    store = open_store(address, ttl=60, timeout=30)
    with pytest.raises(Exception, match="malformed"):
        store.prepare()
    file.write_bytes(whole)
    store.prepare()
    assert await store.head("one") is not None
    await store.close()
