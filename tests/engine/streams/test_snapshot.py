"""What a restored stream may hold is bounded by the contract and by its position."""

from __future__ import annotations

import numpy as np
import pytest

from larnn_service.contract import StateTensor
from larnn_service.engine.streams.snapshot import Snapshot, check
from larnn_service.errors import BadValue
from tests import toy

BOUNDED = toy.CONTRACT.model_copy(
    update={
        "state": (
            toy.CONTRACT.state[0],
            StateTensor(name="seen", shape=(), dtype="int64", maximum=16, description=""),
        )
    }
)


def snapshot(seen: int) -> Snapshot:
    state = {"total": np.zeros(2, np.float32), "seen": np.array(seen)}
    return Snapshot("toy", 1000, {}, state)


def test_a_state_of_float64_is_taken_and_must_be_finite() -> None:
    contract = toy.CONTRACT.model_copy(
        update={"state": (StateTensor(name="slow", shape=(2,), dtype="float64", description=""),)}
    )
    for value, message in ((1e300, None), (np.nan, "slow: a value is not finite")):
        state = {"slow": np.full(2, value)}
        moved = Snapshot("toy", 5, {}, state)
        if message is None:
            check(contract, "toy", moved, max_kept=0)
        else:
            with pytest.raises(BadValue, match=message):
                check(contract, "toy", moved, max_kept=0)


def test_a_counter_stays_within_what_the_contract_says() -> None:
    check(BOUNDED, "toy", snapshot(16), max_kept=0)
    check(toy.CONTRACT, "toy", snapshot(1000), max_kept=0)
    with pytest.raises(BadValue, match="seen: 17 is not within 0 and 16"):
        check(BOUNDED, "toy", snapshot(17), max_kept=0)
