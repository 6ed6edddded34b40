"""`python -m benchmarks fuzz`, bounded: hostile frames and requests harm nobody else."""

from __future__ import annotations

from pathlib import Path

from tests.benchmark import measured


def test_hostile_frames_and_requests_harm_nobody_else(tmp_path: Path) -> None:
    """No 500, nothing left open, and a stream beside them is answered rightly all the while."""
    record = measured(tmp_path, "fuzz", "--requests", "1500")
    answers = record["answers"]
    assert record["sent"] >= 1500
    assert record["bystander_steps"] > 100
    assert {"prediction", "bad_json", "bad_shape", "bad_value", "gap", "HTTP 422"} <= answers.keys()
    assert "internal" not in answers and "HTTP 500" not in answers
    assert record["resident_bytes"][-1] < record["resident_bytes"][0] + 30 * 2**20
