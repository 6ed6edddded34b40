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
    done, runs = run(folder, "--quick", *arguments, module="tests.faults.kill")
    [record] = runs.values()
    return done, record


def test_kills_a_pause_and_a_restarted_store_lose_no_step(tmp_path: Path) -> None:
    done, record = _run(tmp_path, "--kills", "2", "--picture", str(tmp_path / "kill.png"))
    assert done.returncode == 0, done.stdout + done.stderr
    found = record["verdict"]
    assert found["steps"] > 10_000
    assert found["answers"] * record["chunk"] == found["steps"]
    assert nothing_wrong(found) and found["told_lost"] == 0
    assert record["survives"] == ["replica"]
    assert any(row["who"] == "resumed" for row in record["waits"] if row["kind"] == "kill")
    assert (tmp_path / "kill.png").read_bytes().startswith(b"\x89PNG")


def test_it_fails_where_the_store_does_not_compare_fences(tmp_path: Path) -> None:
    done, record = _run(tmp_path, "--kills", "0", "--broken")
    assert done.returncode == 1
    assert any("had called" in words for words in record["verdict"]["words"])


@pytest.mark.parametrize("store", ["cluster", "sentinel"])
def test_where_a_replica_is_awaited_primaries_and_owners_die_without_a_loss(
    tmp_path: Path, store: str
) -> None:
    done, record = _run(tmp_path, "--kills", "1", "--store", store, "--awaited", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert nothing_wrong(record["verdict"]) and record["verdict"]["told_lost"] == 0
    assert record["survives"] == ["failover"]
    assert {"primary", "both"} <= {row["kind"] for row in record["waits"]}


@pytest.mark.parametrize("store", ["cluster", "sentinel"])
def test_where_none_is_awaited_who_lost_steps_is_told_and_nobody_goes_on_from_less(
    tmp_path: Path, store: str
) -> None:
    done, record = _run(tmp_path, "--kills", "0", "--store", store)
    assert done.returncode == 0, done.stdout + done.stderr
    found = record["verdict"]
    assert nothing_wrong(found) and found["told_lost"] > 0
    [words] = found["words"]
    assert "had called" in words and "durable; open a new stream" in words
    assert record["survives"] == ["replica"]  # and not its own server


def nothing_wrong(found: Any) -> bool:
    counted = [found[name] for name in ("lost", "twice", "out_of_order", "different")]
    return counted == [0] * 4 and found["failures"] == []
