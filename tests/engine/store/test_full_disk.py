"""SQLite on a disk that is really full: what erases always works, and what adds does again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest

from larnn_service.engine.store import clock
from larnn_service.engine.store.factory import open_store
from larnn_service.engine.store.interface import Store
from larnn_service.engine.streams.checkpoint import Checkpoint
from larnn_service.errors import Unavailable
from tests import small_disk

FULL = "SQLite: database or disk is full"
TTL = 60.0


@pytest.fixture
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    with small_disk.mounted(tmp_path / "disk", getattr(request, "param", "2m")) as folder:
        yield folder


@contextlib.asynccontextmanager
async def opened(disk: Path) -> AsyncIterator[Store]:
    store = open_store(f"sqlite:///{disk}/streams.db", ttl=TTL, timeout=30)
    store.prepare()
    try:
        yield store
    finally:
        await store.close()


def checkpoint(name: str, kilobytes: int) -> Checkpoint:
    logits = np.ones((kilobytes * 1024 // 12, 3), np.float32)
    return Checkpoint(name, "toy", 1, 2**30, logits, {"seen": np.array(1)})


async def fill(store: Store, kilobytes: int, first: int = 0) -> list[str]:
    """Streams until there is no room for one more."""
    names: list[str] = []
    with pytest.raises(Unavailable):
        while True:
            name = f"stream {first + len(names)}"
            await store.create(checkpoint(name, kilobytes))
            names.append(name)
    return names


@pytest.mark.parametrize(
    ("disk", "kilobytes"), [("2m", 1), ("2m", 14), ("8m", 200), ("80m", 400)], indirect=["disk"]
)
async def test_every_stream_can_be_erased_and_makes_room(disk: Path, kilobytes: int) -> None:
    async with opened(disk) as store:
        names = await fill(store, kilobytes)
        assert names and await store.health.check() == FULL
        for name in names:
            assert await store.delete(name)
        assert len(await fill(store, kilobytes, len(names))) > len(names) // 2


async def test_what_others_put_on_the_disk_hinders_no_erasing(disk: Path) -> None:
    async with opened(disk) as store:
        for number in range(10):
            await store.create(checkpoint(f"before {number}", 14))
        theirs = small_disk.fill(disk)
        await fill(store, 14)
        for number in range(5):
            assert await store.delete(f"before {number}")
        assert await store.take("before 7") is not None
        assert store.health.reason == FULL
        theirs.unlink()
        async with asyncio.timeout(60):
            while store.health.reason:
                await store.named("nothing")
        await store.create(checkpoint("after", 14))


async def test_streams_that_expire_make_room(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(disk) as store:
        names = await fill(store, 14)
        later = clock.since_boot() + TTL
        monkeypatch.setattr(clock, "since_boot", lambda: later)
        await store.purge()
        assert await store.head(names[0]) is None
        async with asyncio.timeout(60):
            while store.health.reason:
                await store.named("nothing")
        assert len(await fill(store, 14, len(names))) > len(names) // 2


async def test_a_service_starts_on_a_full_disk_and_erases(disk: Path) -> None:
    async with opened(disk) as store:
        names = await fill(store, 14)
    small_disk.fill(disk)
    async with opened(disk) as store:
        assert all([await store.delete(name) for name in names])
        await store.create(checkpoint("after", 14))


async def test_two_processes_have_one_reserve(disk: Path) -> None:
    async with opened(disk) as one, opened(disk) as other:
        names = await fill(one, 14)
        names += await fill(other, 14, len(names))
        for store, name in zip([one, other] * len(names), names, strict=False):
            assert await store.delete(name)
        await one.create(checkpoint("one's", 14))
        await other.create(checkpoint("the other's", 14))
