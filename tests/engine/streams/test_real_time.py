"""Which streams are live: their clients pause, and they consume no more than is recorded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from larnn_service.engine.streams.real_time import MOST_LATE, PAUSE, RealTime

RATE = 50.0
CHUNK = 10
PERIOD = CHUNK / RATE
AHEAD = 0.0
"""The pause before a chunk that was sent before the last answer."""


def test_a_stream_that_was_answered_late_stays_live_until_it_has_caught_up() -> None:
    clock = RealTime(RATE, now=0.0)
    assert clock.is_live(PERIOD, PERIOD)
    held_until = 6 * PERIOD
    consumed = 0
    while clock.is_live(AHEAD, held_until):
        clock.consumed(CHUNK, held_until)
        consumed += CHUNK
    assert RATE * held_until <= consumed <= RATE * held_until + CHUNK


def test_it_stays_live_as_long_as_the_service_is_too_slow() -> None:
    clock, now = RealTime(RATE, now=0.0), PERIOD
    assert clock.is_live(PERIOD, now)
    for _ in range(1000):
        clock.consumed(CHUNK, now)
        now += 1.5 * PERIOD
        assert clock.is_live(AHEAD, now)


@pytest.mark.parametrize("first", [float("-inf"), AHEAD, PAUSE])
def test_a_client_that_never_pauses_is_none(first: float) -> None:
    clock, now = RealTime(RATE, now=0.0), 10.0
    assert not clock.is_live(first, now)
    for _ in range(100):
        assert not clock.is_live(AHEAD, now)
        clock.consumed(CHUNK, now)


def test_a_client_that_pauses_once_and_sends_a_recording_is_none_soon() -> None:
    clock, now = RealTime(RATE, now=0.0), PERIOD
    assert clock.is_live(PERIOD, now)
    live = 0
    for _ in range(1000):
        clock.consumed(CHUNK, now)
        live += clock.is_live(AHEAD, now)
        now += PERIOD / 100
    assert live < 10


def test_nobody_saves_up_more_than_a_while() -> None:
    clock, now = RealTime(RATE, now=0.0), 1000 * MOST_LATE
    assert clock.is_live(1.0, now)
    clock.consumed(int(MOST_LATE * RATE), now)
    assert not clock.is_live(AHEAD, now)


def test_a_signal_of_no_known_rate_is_live_while_its_client_pauses() -> None:
    clock = RealTime(None, now=0.0)
    assert clock.is_live(PERIOD, 1.0)
    clock.consumed(1, 1.0)
    assert not clock.is_live(AHEAD, 1e9)
    assert clock.is_live(PERIOD, 1e9)


@given(
    rate=st.floats(0.1, 1e5),
    waits=st.lists(st.floats(0, 100), min_size=1, max_size=50),
    steps=st.integers(1, 1000),
)
def test_what_is_sent_ahead_is_live_for_no_more_than_is_recorded(
    rate: float, waits: list[float], steps: int
) -> None:
    """However the chunks come: at most one chunk above the signal."""
    clock, now, consumed = RealTime(rate, now=0.0), 0.0, 0
    clock.is_live(1.0, now)
    for wait in waits:
        now += wait
        if clock.is_live(AHEAD, now):
            clock.consumed(steps, now)
            consumed += steps
    assert consumed <= rate * now * (1 + 1e-9) + steps
