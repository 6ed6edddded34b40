"""`python -m tests.faults.crowd`, bounded: bad clients leave the others' streams alive and memory
bounded. How late the others' answers come is the full form's to say: it depends on the machine."""

from __future__ import annotations

from pathlib import Path

from tests.benchmark import measured


def test_floods_and_deaf_clients_harm_no_other_stream(tmp_path: Path) -> None:
    record = measured(tmp_path, "--quick", module="tests.faults.crowd")
    assert record["others_alive"] == record["streams"] - record["flooding"] - record["deaf"]
    assert record["alone"]["chunks"] == record["beside"]["chunks"] > 0
    assert record["bytes_per_idle_stream"] < 2**18
    assert record["resident_bytes"] < 2**29
