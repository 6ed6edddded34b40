"""A store by itself: its file, another process on it, a server that goes away or hangs."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest

from benchmarks.server import free_port
from larnn_service.engine.store.factory import open_store
from larnn_service.engine.store.interface import Store
from larnn_service.engine.streams.checkpoint import Checkpoint
from larnn_service.errors import StartupError, Unavailable
from tests import valkey
from tests.engine.store.streams import checkpoint, create


async def test_sqlite_survives_and_keeps_its_file_to_itself(tmp_path: Path, name: str) -> None:
    file = tmp_path / "streams.db"
    first = open_store(f"sqlite:///{file}", ttl=60, timeout=30)
    first.prepare()
    mine = await create(first, name)
    await first.save(checkpoint(name, 3, mine.fence))
    await first.close()
    assert file.stat().st_mode & 0o077 == 0
    second = open_store(f"sqlite:///{file}", ttl=60, timeout=30)
    second.prepare()
    taken = await second.take(name)
    assert taken is not None and taken.position == 3 and taken.fence > mine.fence
    await second.close()


async def test_two_sqlite_stores_on_one_file_see_one_fence(tmp_path: Path, name: str) -> None:
    stores = [open_store(f"sqlite:///{tmp_path}/s.db", ttl=60, timeout=30) for _ in range(2)]
    for store in stores:
        store.prepare()
    mine = await create(stores[0], name)
    taken = await stores[1].take(name)
    assert taken is not None
    assert await stores[0].save(mine) == "moved"
    assert await stores[1].save(taken) == "saved"
    for store in stores:
        await store.close()


def test_a_store_that_cannot_be_used_refuses_to_start(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/no/folder.db", ttl=60, timeout=30)
    with pytest.raises(StartupError, match="folder where the service may write"):
        store.prepare()
    silent = open_store(f"redis://:secret@127.0.0.1:{free_port()}/0", ttl=60, timeout=1)
    with pytest.raises(StartupError, match="start it first") as refusal:
        silent.prepare()
    assert "secret" not in str(refusal.value)


@pytest.mark.usefixtures("valkey_program")
async def test_a_server_that_goes_away_is_unavailable_and_loses_nothing(
    tmp_path: Path, name: str
) -> None:
    with valkey.running(tmp_path) as server:
        store = open_store(server.url, ttl=60, timeout=5)
        store.prepare()
        mine = await create(store, name)
        server.kill()
        with pytest.raises(Unavailable):
            await store.save(checkpoint(name, 4, mine.fence))
        server.start()
        assert await store.save(checkpoint(name, 4, mine.fence)) == "saved"
        loaded = await store.load(name)
        assert loaded is not None and loaded.position == 4
        await store.close()


@pytest.mark.usefixtures("valkey_program")
async def test_a_server_that_hangs_is_unavailable_in_time_and_mixes_up_no_answers(
    tmp_path: Path, name: str
) -> None:
    with valkey.running(tmp_path) as server:
        store = open_store(server.url, ttl=60, timeout=0.5)
        store.prepare()
        streams = [await create(store, f"{name}{number}") for number in range(40)]
        with server.paused():
            answers = await asyncio.gather(
                *(store.load(one.stream) for one in streams), return_exceptions=True
            )
            assert {type(answer) for answer in answers} == {Unavailable}
        async with asyncio.timeout(30):
            while (loaded := await _patiently(store, streams)) is None:
                pass
        assert [one.stream for one in loaded] == [one.stream for one in streams]
        await store.close()


async def _patiently(store: Store, streams: list[Checkpoint]) -> list[Checkpoint] | None:
    try:
        loaded = await asyncio.gather(*(store.load(one.stream) for one in streams))
    except Unavailable:
        return None
    return [one for one in loaded if one is not None]


async def test_a_locked_file_is_unavailable_until_it_is_free(tmp_path: Path, name: str) -> None:
    file = tmp_path / "streams.db"
    store = open_store(f"sqlite:///{file}", ttl=60, timeout=0.05)
    store.prepare()
    mine = await create(store, name)
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await store.save(checkpoint(name, 4, mine.fence))
    assert await store.save(checkpoint(name, 4, mine.fence)) == "saved"
    await store.close()
