"""One run: what the backend gets of its rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from larnn_service.engine.batching.batch_runner import run
from larnn_service.engine.batching.queue_entries import Row, Submission
from larnn_service.engine.batching.state_pool import Arena
from larnn_service.interfaces import Floats, Indices, State, Steps
from tests import toy
from tests.engine.bench import Sums


class Looks(Sums):
    """Notes whether it may read its rows as floats, and their shape."""

    def advance(
        self, x: Floats, lengths: Any, tensors: State, rows: Indices, next_rows: Indices
    ) -> Floats:
        self.aligned, self.shape = x.flags.aligned, x.shape
        return super().advance(x, lengths, tensors, rows, next_rows)


def beginning_at(byte: int) -> Steps:
    """Steps [3, 2] that lie there in what a client sent."""
    sent = bytes(byte) + np.arange(6, dtype=np.float32).tobytes()
    return np.frombuffer(sent, np.float32, offset=byte).reshape(3, 2)


@pytest.mark.parametrize("byte", range(4))
@pytest.mark.parametrize("rows", [1, 2])
def test_rows_are_aligned_wherever_they_began(byte: int, rows: int) -> None:
    arena, backend = Arena(toy.CONTRACT.initial_state(), 8), Looks()
    submission = Submission(lambda _: None, 0.0, None, [None] * rows, rows, 3 * rows)
    waiting = [
        Row(beginning_at(byte), arena.initial, False, submission, index, 3) for index in range(rows)
    ]
    ran = run(backend, arena, toy.CONTRACT, waiting, [arena.initial] * rows, [3] * rows)
    assert (backend.aligned, backend.shape) == (True, (rows, 3, 2))
    for logits, state in ran.rows:
        assert logits is not None and logits[-1].tolist() == [6, 9, 3]
        assert state["total"].tolist() == [6, 9]
