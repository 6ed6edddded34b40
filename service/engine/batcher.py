"""Dynamic batching of whatever waits, across requests and streams.

Work starts when a run is free, and what came meanwhile forms the next batch; the only company that
is waited for are those who were answered a moment ago (`Shares`). A run's size is bounded, by steps
and by rows times steps: a longer sequence takes several runs and goes to the back of the queue in
between, so a long window cannot stall the streams behind it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import cast

import numpy as np

from service.backend.base import Floats, Model, Steps
from service.engine.arena import Arena, Slot
from service.engine.deadlines import Deadlines, late
from service.engine.rows import Outcome, Row, Submission, Then
from service.engine.run_threads import RunThreads
from service.engine.shares import Shares
from service.engine.state import RowState
from service.errors import BadValue, Full, Internal
from service.telemetry.runs import Run, RunTelemetry
from service.telemetry.traces import here

logger = logging.getLogger(__name__)


class Batcher:
    """The queue and the runs of one model. All methods belong to the event loop's thread."""

    def __init__(
        self,
        model: Model,
        threads: RunThreads,
        telemetry: RunTelemetry,
        *,
        concurrency: int,
        max_batch_size: int,
        max_run_steps: int,
        max_run_row_steps: int,
        max_waiting_steps: int,
        within: float = math.inf,
    ) -> None:
        """A reply that has not come `within` seconds fails with Full."""
        self._loop = asyncio.get_running_loop()
        self._backend = model.backend
        self._arena = Arena(model.manifest.contract)
        self._threads = threads
        self._telemetry = telemetry
        self._shares = Shares(concurrency, max_batch_size)
        self._max_run_steps = max_run_steps
        self._max_run_row_steps = max_run_row_steps
        self._max_waiting_steps = max_waiting_steps
        self._within = within
        self._deadlines = Deadlines(within, self._late)
        self._queue: deque[Row] = deque()
        self._waiting_steps = 0
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None

    def submit(
        self, rows: Sequence[tuple[Steps, RowState | None]], then: Then, ends: bool = False
    ) -> Submission:
        """Queue each x [steps, channels], steps ≥ 1, to run on from its state; all or none.

        No state is the one before the first step. `ends`: nothing follows, so only the last
        step's logits are kept. Of a row whose answer is not finite comes BadValue, Internal where
        the run failed for this row alone, Full where the time is up. Raises Full.
        """
        steps = sum([len(x) for x, _ in rows])
        if self._waiting_steps + steps > self._max_waiting_steps:
            raise Full(
                f"{self._waiting_steps} steps wait and {self._max_waiting_steps} may; try again",
                retry_after=1,
            )
        place, initial, now = self._arena.place, self._arena.initial, self._loop.time()
        span = here() if self._telemetry.traced else None
        count = len(rows)
        submission = Submission(then, now, span, [None] * count, count, steps)
        for index, (x, state) in enumerate(rows):
            slot = initial if state is None else place(state)
            self._queue.append(Row(x, slot, ends, submission, index, len(x)))
        self._deadlines.add(submission, now)
        self._waiting_steps += steps
        self._shares.came()
        if not self._scheduled:  # after this turn of the loop: what else it brings goes along
            self._scheduled = True
            self._loop.call_soon(self._start_runs)
        return submission

    async def outcomes(
        self, rows: Sequence[tuple[Steps, RowState | None]], ends: bool = False
    ) -> list[Outcome]:
        """`submit` for those who can wait."""
        reply: asyncio.Future[list[Outcome]] = self._loop.create_future()

        def then(outcomes: list[Outcome]) -> None:
            if not reply.done():
                reply.set_result(outcomes)

        submission = self.submit(rows, then, ends)
        try:
            return await reply
        finally:
            self.drop(submission)

    def drop(self, submission: Submission) -> None:
        """Nobody wants it any more: its rows are skipped, and `then` is not called, unless it is
        being answered."""
        if not submission.over:
            submission.over = True
            self._waiting_steps -= submission.left
            self._deadlines.remove(submission)

    def _late(self, submission: Submission) -> None:
        self.drop(submission)
        _answer(submission, [late(self._within)] * len(submission.outcomes))

    @property
    def waiting_steps(self) -> int:
        """Steps of this model that wait or run."""
        return self._waiting_steps

    def _start_runs(self) -> None:
        self._scheduled = False
        loop = self._loop
        if self._timer is not None:
            self._timer.cancel()
        if wait := self._shares.wait(len(self._queue), loop.time()):
            self._timer = loop.call_later(wait, self._start_runs)
            return
        while self._shares.free and (rows := self._next_batch()):
            self._shares.started(len(rows))
            most = self._most_steps(len(rows))
            counts = [_piece(row.left, most) for row in rows]
            run = self._started(rows, counts, loop.time())
            self._threads.start(
                partial(self._run, rows, counts), partial(self._settle, rows, counts, run)
            )

    def _started(self, rows: list[Row], counts: list[int], now: float) -> Run:
        waits = [now - row.submission.since for row in rows if row.whole]
        asked = [row.submission.asked for row in rows if row.submission.asked is not None]
        return self._telemetry.started(now, waits, len(rows), sum(counts), asked)

    def _next_batch(self) -> list[Row]:
        """The oldest row, and others within a factor of two of its steps: little is padded."""
        while self._queue and self._queue[0].submission.over:
            self._queue.popleft()
        if not self._queue:
            return []
        limit = self._shares.of(len(self._queue))
        first = self._queue.popleft()
        if first.alone:
            return [first]
        most = self._most_steps(limit)
        size = _piece(first.left, most)
        rows: list[Row] = [first]
        others: list[Row] = []
        while self._queue and len(rows) < limit:
            row = self._queue.popleft()
            if row.submission.over:
                continue
            fits = not row.alone and size <= 2 * _piece(row.left, most) <= 4 * size
            (rows if fits else others).append(row)
        self._queue.extendleft(reversed(others))
        return rows

    def _most_steps(self, rows: int) -> int:
        return min(self._max_run_steps, max(self._max_run_row_steps // rows, 1))

    def _run(self, rows: list[Row], counts: list[int]) -> list[tuple[Floats | None, Slot]]:
        """In a thread: one run, each row's logits, or None where they are not finite, and state."""
        pieces = [row.next(count) for row, count in zip(rows, counts, strict=True)]
        lengths = np.array(counts, dtype=np.int64)
        slots = [row.state for row in rows]
        over = [row.ends and row.left == count for row, count in zip(rows, counts, strict=True)]
        logits, after = self._arena.advance(self._backend, _padded(pieces), lengths, slots, over)
        each: list[Floats | None]
        if all(row.ends for row in rows):
            logits = logits[np.arange(len(rows)), lengths - 1, None]
            each = list(logits)
        else:
            each = [
                logits[index, count - 1 if row.ends else 0 : count].copy()
                for index, (row, count) in enumerate(zip(rows, counts, strict=True))
            ]
        if not np.isfinite(logits).all():
            each = [None if own is None or not np.isfinite(own).all() else own for own in each]
        return list(zip(each, after, strict=True))

    def _settle(
        self,
        rows: list[Row],
        counts: list[int],
        run: Run,
        outcome: list[tuple[Floats | None, Slot]] | Exception,
    ) -> None:
        over: list[Submission] = []
        answered: list[int] = []
        if not isinstance(outcome, Exception):
            for row, steps, (logits, state) in zip(rows, counts, outcome, strict=True):
                submission = row.submission
                if not submission.over and self._advance(row, steps, logits, state):
                    over.append(submission)
                    if logits is not None:
                        answered.append(len(submission.outcomes))
        elif len(rows) == 1:
            logger.error("a run failed", exc_info=outcome)
            if not rows[0].submission.over and self._done(rows[0], Internal()):
                over.append(rows[0].submission)
        else:  # one of them may be the cause: each runs again by itself
            for row in rows:
                row.alone = True
            self._queue.extendleft(reversed(rows))
        now = self._loop.time()
        run.end(now, isinstance(outcome, Exception))
        self._shares.ended(len(rows), answered, now, now - run.since)
        self._start_runs()
        for submission in over:
            _answer(submission, cast(list[Outcome], submission.outcomes))

    def _advance(self, row: Row, steps: int, logits: Floats | None, state: Slot) -> bool:
        """Whether all of its submission is answered with that."""
        if logits is None:
            text = "the values are too large for the model: its answer is not finite"
            return self._done(row, BadValue(text))
        row.left -= steps
        row.submission.left -= steps
        self._waiting_steps -= steps
        row.state = state
        if row.ends:
            row.logits = [logits]
        else:
            row.logits.append(logits)
        if row.left:
            self._queue.append(row)
            return False
        whole = row.logits[0] if len(row.logits) == 1 else np.concatenate(row.logits)
        return self._done(row, (whole, state))

    def _done(self, row: Row, outcome: Outcome) -> bool:
        submission = row.submission
        submission.outcomes[row.index] = outcome
        submission.unanswered -= 1
        submission.left -= row.left
        self._waiting_steps -= row.left
        if submission.unanswered:
            return False
        submission.over = True
        self._deadlines.remove(submission)
        return True


def _piece(steps: int, most: int) -> int:
    """Of so many steps those of the next run: as few runs as may be, about as long each, so that a
    sequence which goes on and one that begins fit side by side."""
    return -(-steps // -(-steps // most))


def _padded(pieces: list[Steps]) -> Steps:
    """[rows, steps, channels] of pieces [steps, channels], with zeros behind the shorter ones."""
    steps, channels = max(map(len, pieces)), pieces[0].shape[1]
    if len(pieces) * steps == sum(map(len, pieces)):
        return np.concatenate(pieces).reshape(len(pieces), steps, channels)
    x = np.zeros((len(pieces), steps, channels), dtype=pieces[0].dtype)
    for row, piece in zip(x, pieces, strict=True):
        row[: len(piece)] = piece
    return x


def _answer(submission: Submission, outcomes: list[Outcome]) -> None:
    """What one client makes of its answer is no other's concern."""
    try:
        submission.then(outcomes)
    except Exception:
        logger.exception("an answer could not be given")
