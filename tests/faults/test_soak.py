"""`make soak`, bounded: live streams beside attackers lose nothing; and what a soak would tell."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests import live, toy
from tests.backend.test_model_repository import resign
from tests.faults.soak.clients import Seen, stream
from tests.faults.soak.picture import draw
from tests.faults.soak.run import Soak, soak


def test_live_streams_beside_attackers_lose_nothing(tmp_path: Path) -> None:
    outcome = soak(5.0, 10, attacked=True)
    assert not outcome.found
    assert outcome.counts["chunks"] and outcome.counts["windows"] and outcome.attacks["attacks"]
    assert len(outcome.seconds) == len(outcome.memory) == len(outcome.p99)
    draw(outcome, tmp_path / "soak.png")
    assert (tmp_path / "soak.png").read_bytes().startswith(b"\x89PNG")


async def test_a_step_that_is_counted_twice_is_told(tmp_path: Path) -> None:
    total, seen = toy.CONTRACT.state
    twice = seen.model_copy(update={"initial": 1})
    contract = toy.CONTRACT.model_copy(update={"state": (total, twice)})
    resign(toy.publish(tmp_path, contract=contract.model_dump(mode="json")), toy.graph(contract))
    with live.running(models=tmp_path, model="toy") as url:
        found = Seen()
        await stream(url, time.monotonic() + 1.0, found, random.Random(0))
    assert found.faults[0].startswith("the answer to step 10 is")


@pytest.mark.parametrize(
    ("memory", "told"),
    [
        ([50, 60, 100, 101, 100, 102, 101, 103], []),
        ([50, 60, 100, 101, 100, 102, 130, 131], ["resident memory grew from 100 to 130 MiB"]),
    ],
)
def test_memory_may_grow_in_the_first_quarter_only(memory: list[float], told: list[str]) -> None:
    assert Soak(1, memory=memory).faults == told
