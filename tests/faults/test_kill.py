"""The kill test, bounded: it finds nothing, and finds it where a check is left out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import gateway, live, valkey

pytestmark = pytest.mark.skipif(
    gateway.PROGRAM is None or valkey.PROGRAM is None,
    reason="nginx, and valkey-server or redis-server, are not both installed",
)


def test_kills_a_pause_and_a_restarted_store_lose_no_step(tmp_path: Path) -> None:
    done, record = _kill(tmp_path, "--kills", "2", "--picture", str(tmp_path / "kill.png"))
    assert done.returncode == 0, done.stdout + done.stderr
    found = record["verdict"]
    assert found["steps"] > 10_000
    assert found["answers"] * record["chunk"] == found["steps"]
    for fault in ("lost", "twice", "out_of_order", "different"):
        assert found[fault] == 0
    assert found["failures"] == []
    assert any(fault["resumed_s"] for fault in record["faults"] if fault["kind"] == "kill")
    assert (tmp_path / "kill.png").read_bytes().startswith(b"\x89PNG")


def test_it_fails_where_the_store_does_not_compare_fences(tmp_path: Path) -> None:
    done, record = _kill(tmp_path, "--kills", "0", "--broken", "fence")
    assert done.returncode == 1
    assert any("had called" in failure for failure in record["verdict"]["failures"])


def test_it_fails_where_a_step_sent_again_is_counted_again(tmp_path: Path) -> None:
    done, record = _kill(tmp_path, "--kills", "1", "--broken", "offset")
    assert done.returncode == 1
    assert record["verdict"]["different"] > 0


def _kill(folder: Path, *options: str) -> tuple[subprocess.CompletedProcess[str], Any]:
    output = folder / "kill.json"
    command = [sys.executable, "-m", "benchmarks", "kill", "--quick", "--output", str(output)]
    done = subprocess.run([*command, *options], cwd=live.ROOT, capture_output=True, text=True)
    assert output.exists(), done.stdout + done.stderr
    return done, json.loads(output.read_text())
