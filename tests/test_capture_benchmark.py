"""`python -m benchmarks capture`, bounded; what it says depends on the machine."""

from __future__ import annotations

from pathlib import Path

from benchmarks.capture import KINDS
from tests.benchmark import measured


def test_a_captured_chunk_is_measured_beside_another(tmp_path: Path) -> None:
    record = measured(tmp_path, "capture", "--rounds", "1", "--connections", "1", "--files", "2")
    assert tuple(row["kind"] for row in record["rows"]) == KINDS
    assert all(row["cpu_us"] > 0 for row in record["rows"])
    assert record["bytes"] > 0, "files were written within the measurement"
