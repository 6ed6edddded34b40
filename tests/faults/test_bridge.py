"""The proof of the bridge, bounded: a hundred messages without numbers, a kill on each side; then
none, and a loop by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import tools
from tests.benchmark import measured
from tests.faults.bridge import mosquitto, tansu

HERE = {"kafka": tansu.program(), "mqtt": mosquitto.program()}
REQUIRED = {"kafka": "KAFKA", "mqtt": "MOSQUITTO"}


@pytest.mark.parametrize("kind", ["kafka", "mqtt"])
def test_kills_on_each_side_lose_no_step(kind: str, tmp_path: Path) -> None:
    if HERE[kind] is None:
        tools.missing(f"no broker of {kind} is installed", REQUIRED[kind])
    arguments = (kind, "--messages", "120", "--devices", "4", "--kills", "1", "--no-sequence")
    quiet = ("--quiet", "80", "--rate", "200")
    rows = measured(tmp_path, *arguments, *quiet, module="tests.faults.bridge")["rows"]
    assert [row["messages"] for row in rows] == [120, 80, 80, 80]
    assert [row["by_hand"] for row in rows] == [False, False, False, True]
    for row in rows:
        for fault in ("lost", "twice", "different", "errors"):
            assert row[fault] == 0, row
