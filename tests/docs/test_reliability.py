"""docs/reliability.md and docs/attacks.md: the tests and commands that they name exist, their
figures are the results'."""

from __future__ import annotations

import json
import re

import pytest

from benchmarks import page as results
from tests import live
from tests.docs import page
from tests.faults.attack.attacks import ATTACKS
from tests.faults.attack.harness import Result

TEXT = page.read("reliability.md") + page.read("attacks.md")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", TEXT)


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_every_test_exists(file: str, test: str) -> None:
    assert re.search(rf"^(async )?def {test}\(", (live.ROOT / file).read_text(), re.MULTILINE)


def test_the_kill_test_lost_nothing_that_was_promised() -> None:
    runs = json.loads((results.RESULTS / "kill.json").read_text()).values()
    assert {(run["store"], run["awaited"]) for run in runs} == {
        ("server", 0),
        ("cluster", 1),
        ("sentinel", 1),
        ("cluster", 0),
        ("sentinel", 0),
    }
    for run in runs:
        found = run["verdict"]
        assert run["streams"] >= 200
        assert run["kills"] >= (20 if run["store"] == "server" else 6)
        assert [found[name] for name in ("lost", "twice", "out_of_order", "different")] == [0] * 4
        assert found["failures"] == []
        lossy = run["store"] != "server" and not run["awaited"]
        assert bool(found["told_lost"]) == lossy
        if run["store"] != "server":  # that run was before the command recorded it
            assert run["survives"] == ["failover" if run["awaited"] else "replica"]


KEEPS_MEMORY = {"a NaN at the end of messages", "answers unread over gRPC"}
"""As the page tells."""


def test_no_attack_left_a_fault() -> None:
    record = json.loads((results.RESULTS / "attack.json").read_text())
    assert len(record) == 3
    names, keep = {attack.name for attack in ATTACKS}, set()
    for kind, found in record.items():
        told = {each["attack"] for each in found}
        assert {name for name in names - told if "gRPC" not in name} == set()
        assert told <= names and (kind == "two workers" or told == names)
        keep |= {each["attack"] for each in found if Result(**each).faults}
    assert keep == KEEPS_MEMORY
