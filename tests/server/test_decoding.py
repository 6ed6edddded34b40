"""Large bodies in a thread: owners take turns, and what nobody waits for goes, or is counted."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from larnn_service.admission.byte_budget import WaitingBytes
from larnn_service.endpoints.decoding import Abandon, Decoding
from larnn_service.errors import BadValue, Moved

SIZE = 2**20


class Body:
    """One that can be seen to go."""


class Bench:
    """A decoding whose thread waits in its first work, until it may go on."""

    def __init__(self) -> None:
        self.bytes = WaitingBytes(2**30)
        self.decoding = Decoding(self.bytes)
        self.go_on, self.begun = threading.Event(), threading.Event()
        self.order: list[Any] = []
        self.told: list[Any] = []
        self._news = asyncio.Event()

    def hold(self) -> str:
        self.begun.set()
        assert self.go_on.wait(100)
        return "held"

    def begin(self, decode: Callable[[], Any], owner: str = "anna") -> Abandon:
        return self.decoding.begin(decode, self.tell, self.tell, owner, SIZE)

    def tell(self, told: Any) -> None:
        self.told.append(told)
        self._news.set()

    async def until(self, count: int) -> None:
        """So many have been told."""
        async with asyncio.timeout(100):
            while len(self.told) < count:
                self._news.clear()
                await self._news.wait()

    def named(self, name: str) -> Callable[[], None]:
        return partial(self.order.append, name)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    gc.disable()  # what goes must go at once
    try:
        yield made
    finally:
        gc.enable()
        made.go_on.set()
        made.decoding.close()


async def test_owners_take_turns(bench: Bench) -> None:
    """However many one of them has sent before."""
    bench.begin(bench.hold)
    for number in range(5):
        bench.begin(bench.named(f"anna {number}"))
    for number in range(2):
        bench.begin(bench.named(f"bert {number}"), "bert")
    bench.begin(bench.named("carl"), "carl")
    bench.go_on.set()
    await bench.until(9)
    first = ["anna 0", "bert 0", "carl", "anna 1", "bert 1"]
    assert bench.order == [*first, "anna 2", "anna 3", "anna 4"]


async def test_what_is_abandoned_leaves_its_line_with_its_body(bench: Bench) -> None:
    bench.begin(bench.hold)
    bodies = [Body() for _ in range(3)]
    seen = [weakref.ref(body) for body in bodies]
    abandons = [bench.begin(partial(bench.order.append, body)) for body in bodies]
    del bodies
    for abandon in abandons[:2]:
        abandon()
    await bench.until(2)
    assert [type(error) for error in bench.told] == [Moved, Moved]
    assert [ref() is None for ref in seen] == [True, True, False]
    assert bench.bytes.total == 0  # its request counts what waits
    bench.go_on.set()
    await bench.until(4)
    assert bench.told[2:] == ["held", None]
    assert bench.order == [seen[2]()]


async def test_what_the_thread_has_is_counted_until_it_lets_go(bench: Bench) -> None:
    abandon = bench.begin(bench.hold)
    await asyncio.to_thread(bench.begun.wait, 100)
    assert bench.bytes.total == 0
    abandon()
    await bench.until(1)
    assert bench.bytes.total == SIZE
    assert isinstance(bench.told[0], Moved)
    bench.begin(bench.named("next"))
    bench.go_on.set()
    await bench.until(2)
    assert bench.bytes.total == 0
    assert bench.told[1:] == [None]


async def test_who_waits_and_is_cancelled_abandons_it_too(bench: Bench) -> None:
    held = asyncio.ensure_future(bench.decoding.result(bench.hold, "anna", SIZE))
    waiting = asyncio.ensure_future(bench.decoding.result(bench.named("never"), "anna", SIZE))
    await asyncio.to_thread(bench.begun.wait, 100)
    for task in (held, waiting):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert bench.bytes.total == SIZE
    bench.go_on.set()
    assert await bench.decoding.result(lambda: "last", "anna", SIZE) == "last"
    assert (bench.bytes.total, bench.order) == (0, [])


async def test_what_runs_is_abandoned_by_its_own_way(bench: Bench) -> None:
    gone: list[str] = []
    ran = asyncio.Event()

    def run(_: Any) -> Abandon:
        ran.set()
        return lambda: gone.append("run")

    abandon = bench.decoding.begin(lambda: None, run, bench.tell, "anna", SIZE)
    await ran.wait()
    abandon()
    assert (gone, bench.told, bench.bytes.total) == (["run"], [], 0)


async def test_a_refused_body_goes_with_its_refusal(bench: Bench) -> None:
    body = Body()
    seen = weakref.ref(body)

    def refuse(body: Body) -> None:
        raise BadValue("it is wrong")

    bench.begin(partial(refuse, body))
    del body
    await bench.until(1)
    assert bench.told.pop().detail == "it is wrong"
    await asyncio.sleep(0)
    assert seen() is None


async def test_what_cannot_run_is_told(bench: Bench) -> None:
    def run(_: Any) -> None:
        raise BadValue("no")

    bench.decoding.begin(lambda: None, run, bench.tell, "anna", SIZE)
    await bench.until(1)
    assert bench.told[0].detail == "no"


async def test_at_the_end_nobody_waits_for_ever(bench: Bench) -> None:
    bench.begin(bench.hold)
    waiting = asyncio.ensure_future(bench.decoding.result(bench.named("never"), "bert", SIZE))
    await asyncio.to_thread(bench.begun.wait, 100)
    bench.decoding.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    bench.go_on.set()
    await bench.until(1)
    assert (bench.told, bench.order) == (["held"], [])
