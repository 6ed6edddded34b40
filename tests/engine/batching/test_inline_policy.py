"""Which runs the event loop does itself."""

from __future__ import annotations

from larnn_service.engine.batching.inline_policy import HANDED_OVER, HANDED_ROW, LONGEST, ShortRuns

SHORT = HANDED_OVER
LONG = LONGEST + HANDED_OVER
MANY = min(HANDED_OVER + 32 * HANDED_ROW, LONGEST)
"""Seconds that a short run of 32 rows may take."""


def test_a_run_that_is_not_known_is_not_short() -> None:
    runs = ShortRuns(64)
    assert not runs.is_short(1, 10)
    runs.took(1, 10, SHORT)
    assert runs.is_short(1, 10)
    assert not runs.is_short(1, 20)


def test_the_last_time_counts() -> None:
    runs = ShortRuns(64)
    for seconds, short in ((LONG, False), (SHORT, True), (LONG, False)):
        runs.took(4, 10, seconds)
        assert runs.is_short(4, 10) is short


def test_rows_have_their_time_up_to_the_longest() -> None:
    runs = ShortRuns(1_000)
    for rows, bound in ((1, HANDED_OVER + HANDED_ROW), (8, HANDED_OVER + 8 * HANDED_ROW)):
        runs.took(rows, 1, bound)
        assert runs.is_short(rows, 1)
        runs.took(rows, 1, bound * 1.01)
        assert not runs.is_short(rows, 1)
    runs.took(900, 1, LONGEST * 1.01)
    assert not runs.is_short(900, 1)


def test_more_rows_than_are_known_take_as_much_longer() -> None:
    runs = ShortRuns(64)
    runs.took(2, 10, HANDED_OVER + 2 * HANDED_ROW)
    assert runs.is_short(2, 10)
    assert not runs.is_short(1, 10)
    assert not runs.is_short(4, 10)
    runs.took(2, 10, HANDED_OVER / 2)
    assert runs.is_short(4, 10)
    runs.took(4, 10, LONG)
    assert not runs.is_short(4, 10)


def test_more_work_of_a_size_takes_as_much_longer() -> None:
    runs = ShortRuns(64)
    runs.took(32, 8, MANY)
    assert runs.is_short(32, 8)
    assert not runs.is_short(33, 8)
    assert not runs.is_short(32, 9)


def test_one_slow_run_does_not_count_for_ever() -> None:
    runs = ShortRuns(64)
    runs.took(32, 10, 2 * MANY)
    runs.took(16, 10, SHORT)
    asked = [runs.rows(32, 10) for _ in range(100)]
    assert (asked[0], asked[-1]) == (16, 32)


def test_what_is_only_expected_does_not_count_for_ever() -> None:
    runs = ShortRuns(64)
    runs.took(4, 1, HANDED_OVER + 4 * HANDED_ROW)
    asked = [runs.rows(8, 1) for _ in range(100)]
    assert (asked[0], asked[-1]) == (4, 8)


def test_no_run_is_short_where_none_may_be() -> None:
    runs = ShortRuns(64, longest=0)
    runs.took(1, 1, 1e-9)
    assert not runs.is_short(1, 1)


def test_what_one_client_waits_for_alone_may_take_longest() -> None:
    clients = 1
    runs = ShortRuns(64, alone=lambda: clients == 1)
    for seconds, rows in ((LONGEST, 1), (LONGEST * 1.01, 0)):
        runs.took(1, 10, seconds)
        assert runs.rows(1, 10) == rows
    runs.took(1, 10, LONGEST)
    assert runs.is_short(1, 10, only=True)
    assert not runs.is_short(1, 10)
    assert runs.rows(2, 10) == 0
    clients = 2
    assert runs.rows(1, 10) == 0


def test_where_no_run_may_be_short_none_is_of_one_client() -> None:
    runs = ShortRuns(64, longest=0, alone=lambda: True)
    runs.took(1, 1, 1e-9)
    assert runs.rows(1, 1) == 0


def test_all_that_wait_or_a_good_part_of_them_make_a_short_run() -> None:
    runs = ShortRuns(64)
    assert runs.rows(64, 10) == 0
    for rows, seconds in ((64, LONG), (32, LONG), (16, SHORT)):
        runs.took(rows, 10, seconds)
    assert runs.rows(64, 10) == 16
    assert runs.rows(65, 10) == 0
    assert runs.rows(17, 10) == 17
    runs.took(16, 10, LONG)
    runs.took(4, 10, SHORT)
    assert runs.rows(64, 10) == 0
    assert runs.rows(0, 10) == 0
