"""Streams in SQLite expire by a clock that nobody can set."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from larnn_service.engine.store import clock
from larnn_service.engine.store.factory import open_store
from larnn_service.engine.store.interface import Head, Store
from tests.engine.store.streams import checkpoint

TTL = 100.0
DAY = 86_400.0


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Store]:
    store = open_store(f"sqlite:///{folder}/streams.db", ttl=TTL, timeout=30)
    store.prepare()
    try:
        yield store
    finally:
        await store.close()


def set_wall(monkeypatch: pytest.MonkeyPatch, by: float) -> None:
    """As if somebody had set the time of day."""
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + by)


def pass_time(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = clock.since_boot
    monkeypatch.setattr(clock, "since_boot", lambda: now() + seconds)


def start_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the machine had been."""
    monkeypatch.setattr(clock, "boot", lambda: "another")
    monkeypatch.setattr("larnn_service.engine.store.sqlite.boot", lambda: "another")
    monkeypatch.setattr(clock, "since_boot", lambda: 5.0)


@pytest.mark.parametrize("by", [-DAY, DAY, 30 * DAY, -30 * DAY])
async def test_setting_the_time_of_day_expires_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: float
) -> None:
    async with opened(tmp_path) as store:
        head = await store.create(checkpoint("one"))
        assert isinstance(head, Head)
        set_wall(monkeypatch, by)
        await store.purge()
        assert await store.save(checkpoint("one", 3, head.fence)) == "saved"
        await store.create(checkpoint("two"), "key")
        set_wall(monkeypatch, -2 * by)
        await store.purge()
        assert await store.take("one") is not None
        assert await store.named("key") == "two"


@pytest.mark.parametrize("by", [-DAY, DAY])
async def test_nor_does_it_in_a_process_that_starts_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: float
) -> None:
    async with opened(tmp_path) as store:
        await store.create(checkpoint("one"))
        set_wall(monkeypatch, by)
        async with opened(tmp_path) as other:
            await other.purge()
            await other.create(checkpoint("two"))
        await store.purge()
        assert await store.head("one") is not None
        assert await store.head("two") is not None


async def test_time_that_passes_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as store:
        await store.create(checkpoint("one"))
        pass_time(monkeypatch, TTL - 10)
        assert await store.take("one") is not None
        pass_time(monkeypatch, TTL - 10)
        assert await store.head("one") is not None
        pass_time(monkeypatch, 11)
        assert await store.head("one") is None


@pytest.mark.parametrize(("off", "stays"), [(TTL / 2, True), (2 * TTL, False)])
async def test_while_the_machine_was_off_the_time_of_day_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off: float, stays: bool
) -> None:
    async with opened(tmp_path) as store:
        await store.create(checkpoint("one"))
    set_wall(monkeypatch, off)
    start_again(monkeypatch)
    async with opened(tmp_path) as store:
        assert (await store.head("one") is not None) is stays


async def test_without_a_name_of_the_boot_a_process_has_a_clock_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clock, "_BOOT_ID", Path("/nowhere"))
    assert clock.boot() != clock.boot()
