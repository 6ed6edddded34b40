"""The batcher: what shares a run, what it isolates, what it refuses."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np
import pytest

from larnn_service.backend.providers import CPU
from larnn_service.engine.batching import batcher, inline_policy
from larnn_service.engine.batching.executor import Executor
from larnn_service.errors import BadValue, Full, Internal
from tests.awaited import outcomes
from tests.engine.bench import FAILS, Bench, Sums

HOUR = 3600.0
CLIENT = ContextVar("CLIENT", default="nobody")


@pytest.fixture(params=["threads", "loop"], autouse=True)
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where runs are done whose like has been run before."""
    if request.param == "loop":
        monkeypatch.setattr(Sums, "provider", CPU)
        monkeypatch.setattr(batcher, "LONGEST", HOUR)
        monkeypatch.setattr(inline_policy, "HANDED_OVER", HOUR)
    return str(request.param)


@pytest.fixture
def threads() -> Iterator[Executor]:
    threads = Executor(2)
    yield threads
    threads.close()


async def test_what_comes_together_runs_together(threads: Executor) -> None:
    bench = Bench(threads)
    results = await asyncio.gather(*bench.submit(4, 5, 8))
    assert bench.backend.runs == [[4, 5, 8]]
    for (logits, after), steps in zip(results, (4, 5, 8), strict=True):
        assert logits.shape == (steps, 3)
        assert logits[-1].tolist() == [steps, steps, steps]
        assert (after["total"].tolist(), after["seen"]) == ([steps, steps], steps)


async def test_what_comes_during_a_run_forms_the_next_batch(threads: Executor) -> None:
    bench = Bench(threads)
    bench.backend.gate.clear()
    first = bench.submit(3)
    await asyncio.sleep(0)
    later = [*bench.submit(3), *bench.submit(3)]
    bench.backend.gate.set()
    await asyncio.gather(*first, *later)
    assert bench.backend.runs == [[3], [3, 3]]


async def test_a_short_run_is_done_in_the_loop(threads: Executor, place: str) -> None:
    bench = Bench(threads)
    for _ in range(2):
        await asyncio.gather(*bench.submit(3))
    first, second = (thread == threading.get_ident() for thread in bench.backend.threads)
    assert (first, second) == (False, place == "loop")


async def test_what_one_client_waits_for_is_run_in_the_loop(
    threads: Executor, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inline_policy, "HANDED_OVER", 0)
    monkeypatch.setattr(inline_policy, "HANDED_ROW", 0)
    clients = 1
    bench = Bench(threads, alone=lambda: clients == 1)
    for rows in (1, 2):
        await asyncio.gather(*bench.submit(*[3] * rows))
    for rows in (1, 2):
        await asyncio.gather(*bench.submit(*[3] * rows))
    clients = 2
    await asyncio.gather(*bench.submit(3))
    here = [thread == threading.get_ident() for thread in bench.backend.threads]
    assert here == [False, False, place == "loop", False, False]


async def test_between_short_runs_others_have_their_turn(threads: Executor, place: str) -> None:
    bench, turns = Bench(threads), 0
    await asyncio.gather(*bench.submit(14))
    [long] = bench.submit(40)
    [first] = bench.submit(14)
    noted: list[int] = []
    bench.backend.note = lambda: noted.append(turns)
    while not (long.done() and first.done()):
        await asyncio.sleep(0)
        turns += 1
    assert len(bench.backend.runs) == 1 + len(noted)
    assert len(set(noted)) == len(noted) or place == "threads"


async def test_a_run_is_in_no_clients_context(threads: Executor) -> None:
    bench, seen = Bench(threads), list[str]()
    CLIENT.set("who asks")
    bench.backend.note = lambda: seen.append(CLIENT.get())
    for _ in range(2):
        await asyncio.gather(*bench.submit(3))
    assert seen == ["nobody", "nobody"]


async def test_an_answer_comes_before_the_next_short_run(threads: Executor, place: str) -> None:
    bench = Bench(threads)
    for steps in (14, 3):
        await asyncio.gather(*bench.submit(steps))
    before = len(bench.backend.runs)
    first, second = bench.ask(14, value=3e38), bench.ask(3)  # for who failed nobody lingers
    meanwhile: list[int] = []
    first.add_done_callback(lambda _: meanwhile.append(len(bench.backend.runs) - before))
    await asyncio.gather(first, second, return_exceptions=True)
    assert meanwhile == [1] or place == "threads"


async def test_a_long_sequence_takes_several_runs_and_lets_others_between(
    threads: Executor,
) -> None:
    bench = Bench(threads)
    bench.backend.gate.clear()
    [long] = bench.submit(40)
    await asyncio.sleep(0)
    [short] = bench.submit(1)
    bench.backend.gate.set()
    await short
    assert not long.done()
    logits, _ = await long
    assert bench.backend.runs == [[14], [1], [13], [13]]
    assert logits[:, 2].tolist() == list(range(1, 41))


async def test_many_rows_move_on_by_fewer_steps(threads: Executor) -> None:
    bench = Bench(threads, max_run_row_steps=24)
    await asyncio.gather(*bench.submit(10, 10, 10))
    assert bench.backend.runs == [[5, 5, 5], [5, 5, 5]]


async def test_of_a_row_that_ends_the_last_logits_are_kept(threads: Executor) -> None:
    bench = Bench(threads)
    rows = [(np.ones((steps, 2), dtype=np.float32), None) for steps in (20, 3)]
    ended = await outcomes(bench.batcher, rows, ends=True)
    logits = [outcome[0].tolist() for outcome in ended if isinstance(outcome, tuple)]
    assert logits == [
        [[20, 20, 20]],
        [[3, 3, 3]],
    ]


async def test_rows_beyond_a_factor_of_two_run_apart(threads: Executor) -> None:
    bench = Bench(threads)
    await asyncio.gather(*bench.submit(4, 16, 8, 2, 1))
    assert bench.backend.runs == [[4, 8, 2], [16], [1]]


async def test_a_batch_holds_at_most_its_size(threads: Executor) -> None:
    bench = Bench(threads, max_batch_size=2)
    await asyncio.gather(*bench.submit(*[3] * 5))
    assert bench.backend.runs == [[3, 3], [3, 3], [3]]


async def test_free_runs_share_what_waits(threads: Executor) -> None:
    bench = Bench(threads, concurrency=2)
    await asyncio.gather(*bench.submit(*[3] * 6))
    assert bench.backend.runs == [[3, 3, 3], [3, 3, 3]]


async def test_a_run_leaves_the_share_of_those_that_go_on(threads: Executor) -> None:
    bench = Bench(threads, concurrency=2)
    bench.backend.gate.clear()
    first = bench.submit(3)
    await asyncio.sleep(0)
    later = bench.submit(*[3] * 5)
    await asyncio.sleep(0)
    bench.backend.gate.set()
    await asyncio.gather(*first, *later)
    assert max(map(len, bench.backend.runs)) == 3


@pytest.mark.parametrize(("requests", "waits"), [([[16] * 10], False), ([[16]] * 10, True)])
async def test_a_request_does_not_wait_for_its_own_rows(
    threads: Executor, monkeypatch: pytest.MonkeyPatch, requests: list[list[int]], waits: bool
) -> None:
    """Ten rows in runs of eight: those of ten clients wait for the eight to come back."""
    loop, waited = asyncio.get_running_loop(), []
    call_later = loop.call_later

    def noted(*arguments: Any) -> asyncio.TimerHandle:
        waited.append(arguments)
        return call_later(*arguments)

    monkeypatch.setattr(loop, "call_later", noted)
    bench = Bench(threads)
    await asyncio.gather(*(bench.ask(*steps) for steps in requests))
    assert bench.backend.runs == [[16] * 8, [16] * 2]
    assert bool(waited) == waits


async def test_a_cancelled_row_leaves_the_rest_alone(threads: Executor) -> None:
    bench = Bench(threads)
    first, second, third = bench.submit(3, 3, 3)
    second.cancel()
    await asyncio.gather(first, third)
    assert bench.backend.runs == [[3, 3]]


async def test_a_row_cancelled_while_it_runs_is_dropped(threads: Executor) -> None:
    bench = Bench(threads)
    bench.backend.gate.clear()
    first, second = bench.submit(20, 20)
    await asyncio.sleep(0)
    second.cancel()
    bench.backend.gate.set()
    await first
    assert bench.backend.runs == [[10, 10], [10]]


async def test_a_row_that_fails_its_run_fails_alone(threads: Executor) -> None:
    bench = Bench(threads)
    good, [bad] = bench.submit(3, 3), bench.submit(3, value=FAILS)
    assert [logits[-1, 2] for logits, _ in await asyncio.gather(*good)] == [3, 3]
    with pytest.raises(Internal):
        await bad
    assert bench.backend.runs == [[3, 3, 3], [3], [3], [3]]


async def test_an_answer_that_is_not_finite_fails_its_row_alone(
    threads: Executor,
) -> None:
    bench = Bench(threads)
    [good], [bad] = bench.submit(3), bench.submit(3, value=3e38)
    with pytest.raises(BadValue, match="not finite"):
        await bad
    await good


async def test_waiting_steps_are_bounded_and_freed(threads: Executor) -> None:
    bench = Bench(threads, max_waiting_steps=10)
    bench.backend.gate.clear()
    rows = bench.ask(6, 4)
    with pytest.raises(Full) as error:
        bench.submit(1)
    assert error.value.extra["retry_after"]
    bench.backend.gate.set()
    await rows
    [cancelled] = bench.submit(10)
    cancelled.cancel()
    await asyncio.sleep(0)
    await asyncio.gather(*bench.submit(10))


async def test_rows_that_wait_hold_no_place_in_the_arena(threads: Executor) -> None:
    """Each has a state of its own, which is copied when its run begins, and not before."""
    bench = Bench(threads)
    free = len(bench.batcher._arena.free)
    bench.backend.gate.clear()
    replies = bench.submit(*[3] * 100)
    assert len(bench.batcher._arena.free) == free
    bench.backend.gate.set()
    await asyncio.gather(*replies)
