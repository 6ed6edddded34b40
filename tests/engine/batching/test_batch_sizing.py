"""How many rows a run takes, and who waits for whom."""

from __future__ import annotations

from larnn_service.engine.batching.batch_sizing import LINGER, Shares

SECONDS = 8.0
"""What a run takes."""


def test_free_runs_share_what_waits() -> None:
    shares = Shares(2, 64)
    assert shares.of(6) == 3
    shares.started(3)
    assert shares.of(3) == 3


def test_a_few_rows_go_to_as_many_runs_as_are_free() -> None:
    shares, taken = Shares(4, 64), []
    for waiting in (6, 4, 2, 1):
        taken.append(shares.of(waiting))
        shares.started(taken[-1])
    assert taken == [2, 2, 1, 1]


def test_a_run_takes_at_most_the_batch_size() -> None:
    assert Shares(1, 4).of(9) == 4


def test_uneven_runs_become_even() -> None:
    shares = Shares(2, 64)
    shares.started(50)
    shares.started(14)
    shares.ended(50, [], 0.0, SECONDS)  # a piece of longer sequences: all of them wait on
    assert shares.of(50) == 32
    shares.started(32)
    shares.ended(14, [1] * 14, 0.0, SECONDS)
    assert shares.of(18) == 32  # with those who are expected back
    assert shares.wait(18, 0.0)


def test_who_waits_goes_once_all_who_were_answered_are_back() -> None:
    shares = Shares(1, 64)
    shares.started(4)
    shares.ended(4, [1] * 4, 0.0, SECONDS)
    for waiting in (1, 2, 3):
        shares.came()
        assert shares.wait(waiting, 0.0) == LINGER * SECONDS
    shares.came()
    assert shares.wait(4, 0.0) == 0


def test_who_does_not_come_back_is_waited_for_no_longer() -> None:
    shares = Shares(1, 64)
    shares.started(4)
    shares.ended(4, [1] * 4, 0.0, SECONDS)
    shares.came()
    assert shares.wait(1, LINGER * SECONDS / 2) == LINGER * SECONDS / 2
    assert shares.wait(1, LINGER * SECONDS) == 0
    assert shares.of(1) == 1


def test_a_client_alone_never_waits() -> None:
    """However many rows it sends, one time and the next."""
    shares = Shares(2, 64)
    for before, after in ((1, 1), (20, 8), (8, 20)):
        shares.started(before)
        shares.ended(before, [before], 0.0, SECONDS)
        shares.came()
        assert shares.wait(after, 0.0) == 0


def test_who_did_not_come_back_in_time_is_not_waited_for_after_another_run() -> None:
    shares = Shares(2, 64)
    shares.started(10)
    shares.started(1)
    shares.ended(10, [1] * 10, 0.0, SECONDS)
    shares.ended(1, [1], 50.0, 50.0)
    shares.came()
    assert shares.wait(1, 50.1) == 0


def test_nobody_waits_for_as_many_as_there_are_free_runs() -> None:
    shares = Shares(2, 64)
    shares.started(1)
    shares.started(1)
    shares.ended(1, [1], 0.0, SECONDS)
    shares.ended(1, [1], 0.0, SECONDS)
    shares.came()
    assert shares.wait(1, 0.0) == 0
