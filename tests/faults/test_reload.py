"""`python -m tests.faults.reload`, bounded: versions come and go, and nobody notices."""

from __future__ import annotations

from pathlib import Path

from tests.benchmark import measured


def test_versions_change_under_load_without_a_failure(tmp_path: Path) -> None:
    record = measured(tmp_path, "--requests", "600", "--streams", "8", module="tests.faults.reload")
    assert (record["answered"], record["failed"], record["disturbed"]) == (600, 0, 0)
    assert min(record["by_version"].values()) > 0
    assert min(record["loads"], record["refused"], record["chunks"]) > 0
