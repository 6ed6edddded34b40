"""A histogram of one thread's observations, against the library's own."""

from __future__ import annotations

import prometheus_client
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from larnn_service.telemetry.histogram import Histogram

BUCKETS = (0.0005, 0.01, 1.0, 30.0)
amounts = st.one_of(st.floats(0, 100), st.sampled_from(BUCKETS))


@given(st.lists(st.tuples(st.sampled_from(["a", 'b"\\']), amounts), max_size=30))
def test_its_text_is_the_librarys(observed: list[tuple[str, float]]) -> None:
    mine, other = CollectorRegistry(), CollectorRegistry()
    own = Histogram("took_seconds", "Seconds.", ("door",), BUCKETS, mine)
    known = prometheus_client.Histogram(
        "took_seconds", "Seconds.", ("door",), buckets=BUCKETS, registry=other
    )
    for door, amount in observed:
        own.labels(door).observe(amount)
        known.labels(door).observe(amount)
    without_created = [
        line for line in generate_latest(other).splitlines() if b"took_seconds_created" not in line
    ]
    assert generate_latest(mine).splitlines() == without_created
