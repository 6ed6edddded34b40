"""`python -m benchmarks telemetry`, bounded; how much it says it is depends on the machine."""

from __future__ import annotations

from pathlib import Path

from benchmarks.telemetry import KINDS
from tests.benchmark import measured


def test_telemetry_is_measured_beside_none(tmp_path: Path) -> None:
    record = measured(tmp_path, "telemetry", "--requests", "40", "--rounds", "2")
    rows = {row["kind"]: row for row in record["rows"]}
    assert tuple(rows) == KINDS
    assert rows["nothing"]["of_nothing"] == 1
    assert rows["metrics and traces"]["more_us"] > 0
