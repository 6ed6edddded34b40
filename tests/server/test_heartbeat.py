"""Which workers their parent takes for hung."""

from __future__ import annotations

import asyncio

import pytest

from larnn_service.process.heartbeat import LOOKS, Heartbeats
from tests.engine.replicas import Clock

TIMEOUT = 40.0
"""Seconds, of a clock that the test moves."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


def look(parent: Heartbeats, clock: Clock, after: float) -> list[int]:
    clock.now += after
    return parent.silent()


def test_who_is_silent_for_the_timeout_hangs(clock: Clock) -> None:
    parent = Heartbeats(2, TIMEOUT, clock)
    looks = [look(parent, clock, TIMEOUT / LOOKS) for _ in range(LOOKS)]
    assert looks == [*[[]] * (LOOKS - 1), [0, 1]]
    parent.forget(1)
    assert look(parent, clock, TIMEOUT / LOOKS) == [0]


def test_looks_in_between_do_not_count(clock: Clock) -> None:
    """Signals wake the parent as often as they like."""
    parent = Heartbeats(1, TIMEOUT, clock)
    assert [look(parent, clock, 0.001) for _ in range(1_000)] == [[]] * 1_000
    assert parent.until_next_look() == pytest.approx(TIMEOUT / LOOKS - 1)


def test_a_parent_that_was_stopped_itself_blames_nobody(clock: Clock) -> None:
    parent = Heartbeats(1, TIMEOUT, clock)
    assert look(parent, clock, 100 * TIMEOUT) == []


async def test_a_running_loop_is_a_sign_of_life(clock: Clock) -> None:
    parent = Heartbeats(2, timeout=0.001, clock=clock)
    parent.go_on(1)
    for _ in range(3 * LOOKS):
        await asyncio.sleep(0.001)
        silent = look(parent, clock, 1)
    assert silent == [0]
