"""Rows of several owners wait for a run: each owner's in order, and the owners take turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larnn_service.engine.batching.queue_entries import Row, Submission
from larnn_service.engine.batching.row_queue import PASSED_OVER, RowQueue
from larnn_service.engine.batching.waiting_steps import WaitingSteps
from larnn_service.errors import Full

ANY = lambda row: True  # noqa: E731


def row(owner: str = "", steps: int = 1, alone: bool = False) -> Row:
    submission = Submission(lambda _: None, 0.0, None, [None], 1, steps, owner)
    x = np.zeros((steps, 2), np.float32)
    return Row(x, {}, True, submission, 0, steps, alone=alone)


def filled(*owners: str) -> RowQueue:
    queue = RowQueue()
    for owner in owners:
        queue.add(row(owner))
    return queue


def take(queue: RowQueue, limit: int, fits: Callable[[Row], bool] = ANY) -> list[Row]:
    first = queue.first()
    return [] if first is None else queue.take(first, limit, fits)


def owners(rows: list[Row]) -> Counter[str]:
    return Counter(each.submission.owner for each in rows)


def test_owners_have_as_many_rows_of_a_run_whoever_has_more_waiting() -> None:
    queue = filled(*["one"] * 1_000, *["two"] * 10, "three")
    assert owners(take(queue, 9)) == {"one": 4, "two": 4, "three": 1}
    assert owners(take(queue, 8)) == {"one": 4, "two": 4}
    assert owners(take(queue, 8)) == {"one": 6, "two": 2}
    assert len(queue) == 1_011 - 25


def test_runs_begin_with_one_owner_after_the_other() -> None:
    queue = filled(*["one"] * 5, *["two"] * 3)
    assert [take(queue, 1)[0].submission.owner for _ in range(8)] == [
        *["one", "two"] * 3,
        *["one"] * 2,
    ]
    assert queue.first() is None
    assert take(queue, 1) == []
    assert len(queue) == 0


def test_who_comes_behind_a_flood_is_next() -> None:
    queue = filled(*["flood"] * 10_000)
    take(queue, 8)
    queue.add(late := row("late"))
    assert late in take(queue, 8)


def test_rows_that_nobody_wants_are_skipped() -> None:
    queue, rows = RowQueue(), [row(owner) for owner in ("one", "one", "two", "one")]
    for each in rows:
        queue.add(each)
    rows[0].submission.over = rows[2].submission.over = True
    assert queue.first() is rows[1]
    assert take(queue, 8) == [rows[1], rows[3]]
    assert queue.first() is None


def test_one_that_failed_among_others_runs_alone_and_first() -> None:
    queue, failed = filled("one", "two"), [row("one", alone=True), row("two", alone=True)]
    queue.put_back(failed)
    assert [take(queue, 8), take(queue, 8)] == [[failed[0]], [failed[1]]]
    assert len(take(queue, 8)) == 2


def test_few_rows_are_looked_at_that_do_not_fit() -> None:
    """However many wait: a run is found in a bounded time."""
    queue, looked = RowQueue(), []

    def fits(each: Row) -> bool:
        looked.append(each)
        return each.left < 10

    queue.add(row(steps=1))
    for _ in range(10 * PASSED_OVER):
        queue.add(row(steps=100))
    assert len(take(queue, 8, fits)) == 1
    assert len(looked) <= 2 * PASSED_OVER


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 3), st.booleans()), max_size=60),
    st.integers(1, 9),
)
def test_each_owner_s_rows_come_once_and_in_order(
    made: list[tuple[str, int, bool]], limit: int
) -> None:
    """Those of one length, since a run has rows of about one length."""
    queue, rows = RowQueue(), [row(owner, steps) for owner, steps, _ in made]
    for each, (_, _, over) in zip(rows, made, strict=True):
        queue.add(each)
        each.submission.over = over
    taken: list[Row] = []
    while (first := queue.first()) is not None:
        run = queue.take(first, limit, lambda each, steps=first.left: each.left == steps)  # type: ignore[misc]
        assert 1 <= len(run) <= limit
        assert run[0] is first
        taken += run
    assert len(queue) == 0
    for owner in "abc":
        for steps in (1, 2, 3):
            want = [each for each in rows if (each.submission.owner, each.left) == (owner, steps)]
            got = [each for each in taken if (each.submission.owner, each.left) == (owner, steps)]
            assert got == [each for each in want if not each.submission.over]


def test_one_owner_s_steps_leave_room_for_another_s() -> None:
    waiting = WaitingSteps(100, share=50)
    waiting.add(50, "one")
    with pytest.raises(Full, match="50 steps of this key wait and 50 may"):
        waiting.add(1, "one")
    waiting.add(50, "two")
    with pytest.raises(Full, match="100 steps wait and 100 may"):
        waiting.add(1, "three")
    waiting.remove(20, "one")
    waiting.add(20, "one")
    assert waiting.total == 100


def test_who_has_no_name_has_no_share() -> None:
    waiting = WaitingSteps(100)
    waiting.add(100, "")
    with pytest.raises(Full, match="100 steps wait"):
        waiting.add(1, "")
