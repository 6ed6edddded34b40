"""The journal against a model of a replicated service: checkpoints lag, replicas fall back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larnn_client.errors import BufferFull, ProtocolError, StateLost
from larnn_client.journal import Journal

CHANNELS = 1


def steps(count: int) -> np.ndarray:
    return np.zeros((count, CHANNELS), dtype=np.float32)


class Replica:
    """Counts steps as the protocol says, and falls back to its checkpoint when it is lost."""

    def __init__(self) -> None:
        self.position = self.durable = self.acked = 0
        self.durably_acked = 0

    def take(self, offset: int, end: int, acked: int) -> int:
        """The position that answers the chunk; fails where the protocol would refuse it."""
        assert offset <= self.position, "a gap"
        assert acked <= offset
        assert offset >= self.acked, "the answers are gone"
        if end > self.position:
            self.acked, self.position = max(self.acked, acked), end
        return end

    def checkpoint(self) -> None:
        self.durable, self.durably_acked = self.position, self.acked

    def fall_back(self) -> None:
        self.position, self.acked = self.durable, self.durably_acked


moves = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 9)),
        st.tuples(st.sampled_from(["pass", "answer", "read", "checkpoint", "fall back", "cut"])),
    ),
    max_size=60,
)


@given(moves=moves, max_in_flight=st.integers(1, 4))
def test_every_chunk_is_answered_once_whatever_is_lost(
    moves: list[tuple[str, int]], max_in_flight: int
) -> None:
    journal, replica = Journal(0, consumed=0, max_steps=10_000), Replica()
    answers: list[int] = []
    delivered: list[int] = []
    edges: list[int] = []

    def do(move: str, count: int = 0) -> None:
        if move == "send":
            journal.append(steps(count))
            edges.append(journal.end)
        elif move == "pass":
            if chunk := journal.next(max_in_flight):
                acked = min(journal.read, chunk.offset)
                answers.append(replica.take(chunk.offset, chunk.end, acked))
        elif move == "read" and delivered:
            journal.read = delivered[-1]
        elif move == "answer" and answers:
            position = answers.pop(0)
            if journal.settle(position, replica.durable):
                delivered.append(position)
        elif move == "checkpoint":
            replica.checkpoint()
        elif move in ("fall back", "cut"):
            answers.clear()
            if move == "fall back":
                replica.fall_back()
            journal.resume(replica.position)

    for move in moves:
        do(*move)
    do("cut")
    while not journal.settled:
        do("pass")
        do("answer")
    assert delivered == edges
    assert replica.position == journal.end == journal.answered
    assert journal.durable <= journal.answered


def test_what_is_not_durable_is_kept_and_counted() -> None:
    journal = Journal(0, consumed=0, max_steps=4)
    journal.append(steps(3))
    journal.next(1)
    journal.settle(3, 0)
    journal.read = 3
    with pytest.raises(BufferFull, match="wait for a checkpoint"):
        journal.append(steps(2))
    journal.resume(0)
    chunk = journal.next(1)
    assert chunk is not None
    assert (chunk.offset, chunk.end) == (0, 3)
    assert not journal.settle(3, 3), "the caller has this answer"


def test_kept_answers_are_to_be_acknowledged() -> None:
    journal = Journal(0, consumed=0, max_steps=4)
    journal.append(steps(3))
    journal.next(1)
    journal.settle(3, 3)
    journal.read = 3
    with pytest.raises(BufferFull, match="0 not durable; acknowledge the answers"):
        journal.append(steps(2))
    journal.acknowledged = 3
    journal.append(steps(2))


def test_a_service_that_forgot_what_it_called_durable_is_found_out() -> None:
    journal = Journal(0, consumed=0, max_steps=9)
    journal.append(steps(3))
    journal.next(1)
    journal.settle(3, 3)
    with pytest.raises(StateLost, match="open a new stream"):
        journal.resume(2)


def test_another_writer_is_found_out() -> None:
    journal = Journal(0, consumed=0, max_steps=9)
    journal.append(steps(3))
    with pytest.raises(ProtocolError, match="another client"):
        journal.resume(4)
    journal.resume(0)
    journal.next(1)
    with pytest.raises(ProtocolError, match="unasked"):
        journal.settle(2, 2)


def test_a_caller_that_comes_back_may_be_behind_the_service() -> None:
    journal = Journal(2, consumed=5, max_steps=9)
    journal.resume(5)
    journal.append(steps(4))
    chunk = journal.next(1)
    assert chunk is not None
    assert chunk.offset == 2
