"""The kill test, bounded: it finds nothing, and finds it where a check is left out."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests import gateway, valkey
from tests.benchmark import run

pytestmark = pytest.mark.skipif(
    gateway.PROGRAM is None or valkey.PROGRAM is None,
    reason="nginx, and valkey-server or redis-server, are not both installed",
)


def _run(folder: Path, *arguments: str) -> tuple[CompletedProcess[str], Any]:
    return run(folder, "--quick", *arguments, module="tests.faults.kill")


def test_kills_a_pause_and_a_restarted_store_lose_no_step(tmp_path: Path) -> None:
    done, record = _run(tmp_path, "--kills", "2", "--picture", str(tmp_path / "kill.png"))
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
    done, record = _run(tmp_path, "--kills", "0", "--broken")
    assert done.returncode == 1
    assert any("had called" in failure for failure in record["verdict"]["failures"])
