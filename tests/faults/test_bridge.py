"""The proof of the bridge, bounded: a hundred messages without numbers, a kill on each side."""

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
    record = measured(tmp_path, *arguments, module="tests.faults.bridge")
    found = record["verdict"]
    assert found["messages"] == 120
    for fault in ("lost", "twice", "different", "errors"):
        assert found[fault] == 0
