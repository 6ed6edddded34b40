"""What the log and /readyz tell of a store, and how often."""

from __future__ import annotations

import asyncio

import pytest

from larnn_service.engine.store import health
from larnn_service.engine.store.health import StoreHealth
from larnn_service.errors import Unavailable


class Away:
    """A store that fails for a reason, or answers where there is none; it notes its probes."""

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        self.probes: asyncio.Queue[str] = asyncio.Queue()
        self.health = StoreHealth(self.probe)

    async def probe(self) -> None:
        self.probes.put_nowait(self.reason)
        self.ask()

    def ask(self) -> None:
        if self.reason:
            raise self.health.failed(self.reason)

    def fail(self, times: int) -> None:
        """As many requests."""
        for _ in range(times):
            with pytest.raises(Unavailable):
                self.ask()

    async def probed(self, reason: str, times: int = 2) -> None:
        """Until it was probed so often with this outcome."""
        async with asyncio.timeout(30):
            while times:
                times -= await self.probes.get() == reason


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "EVERY", 0.001)


async def test_the_log_has_a_line_for_each_change_and_none_for_a_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away = Away("the disk is full")
    away.fail(100)
    await away.probed("the disk is full")
    away.fail(100)
    away.reason = "the file is locked"
    await away.probed("the file is locked")
    away.fail(100)
    away.reason = ""
    await away.probed("", 1)
    assert away.health.reason == ""
    assert [record.getMessage() for record in caplog.records] == [
        "the store takes no streams: the disk is full",
        "the store takes no streams: the file is locked",
        "the store takes streams again",
    ]


async def test_asking_finds_a_store_that_went_away_in_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "EVERY", -1)
    away = Away()
    assert await away.health.check() == ""
    away.reason = "nobody is there"
    assert await away.health.check() == "nobody is there"
    away.reason = ""
    await away.probed("", 2)
    assert await away.health.check() == ""
    away.health.close()


async def test_however_many_ask_a_store_is_probed_once_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(health, "EVERY", 1e6)
    away = Away()
    await asyncio.gather(*(away.health.check() for _ in range(100)))
    assert away.probes.qsize() == 1


async def test_nobody_waits_for_a_probe_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.001)
    hangs = asyncio.Event()

    async def probe() -> None:
        await hangs.wait()

    slow = StoreHealth(probe)
    assert await slow.check() == ""
    slow.failed("no answer within 5 s")
    assert await slow.check() == "no answer within 5 s"
    slow.close()
