"""A rolling restart and a scale-out, bounded: all streams go on, and end up spread evenly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import gateway, valkey
from tests.benchmark import measured

pytestmark = pytest.mark.skipif(
    gateway.PROGRAM is None or valkey.PROGRAM is None,
    reason="nginx, and valkey-server or redis-server, are not both installed",
)


def test_24_streams_are_spread_evenly_after_a_restart_and_with_a_third_replica(
    tmp_path: Path,
) -> None:
    runs = measured(tmp_path, "--age", "10", module="tests.faults.spread")
    [record] = runs.values()
    stages = {(stage["stage"], stage["rested"]): stage["counts"] for stage in record["stages"]}
    assert stages["opened", False] == [12, 12]
    for name, replicas in (("restarted", 2), ("scaled out", 3)):
        counts, even = stages[name, True], 24 / replicas
        assert len(counts) == replicas
        assert all(abs(count - even) <= 0.15 * even for count in counts), counts
    found = record["verdict"]
    assert [found[name] for name in ("lost", "twice", "different", "told_lost")] == [0] * 4
    assert found["failures"] == [] and record["reconnects"] >= 2 * 24
