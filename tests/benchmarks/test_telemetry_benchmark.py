"""`python -m benchmarks telemetry`, bounded: each kind is measured, whatever is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.telemetry import KINDS
from tests.benchmark import measured


def test_telemetry_is_measured_beside_none(tmp_path: Path) -> None:
    record = measured(tmp_path, "telemetry", "--requests", "40", "--rounds", "2")
    rows = {row["kind"]: row for row in record["rows"]}
    assert tuple(rows) == KINDS
    nothing = rows["nothing"]
    assert nothing["of_nothing"] == 1 and nothing["more_us"] == 0
    for row in rows.values():
        assert len(row["rounds_us"]) == 2 and min(row["rounds_us"]) > 0 < row["of_nothing"]
        assert row["more_us"] == pytest.approx(row["cpu_us"] - nothing["cpu_us"])
