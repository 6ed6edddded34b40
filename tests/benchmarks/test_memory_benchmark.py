"""`python -m benchmarks memory`, bounded; how much it says it is depends on the machine."""

from __future__ import annotations

from pathlib import Path

from tests.benchmark import measured


def test_memory_is_measured_without_work_and_at_it(tmp_path: Path) -> None:
    bounded = ["--concurrency", "1", "--requests", "4", "--sequences", "2", "--steps", "8"]
    [row] = measured(tmp_path, "memory", *bounded)["rows"]
    assert row["concurrency"] == 1
    assert 10 < row["quiet_mb"] <= row["at_work_mb"] < 10_000
