"""Dynamic batching of whatever waits, across requests and streams.

Work starts when a run is free, and what came meanwhile forms the next batch; the only company that
is waited for are those who were answered a moment ago (`Shares`). A run's size is bounded, by steps
and by rows times steps: a longer sequence takes several runs and goes to the back of the queue in
between, so a long window cannot stall the streams behind it. Runs go to threads, but for those that
take less than the way there (`ShortRuns`).
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from contextvars import Context
from functools import partial
from typing import cast

import numpy as np

from larnn_service.backend.providers import CPU
from larnn_service.deadlines import Deadlines, late
from larnn_service.engine.batching.batch_runner import Ran, run
from larnn_service.engine.batching.batch_sizing import Shares
from larnn_service.engine.batching.executor import Executor, outcome_of
from larnn_service.engine.batching.inline_policy import LONGEST, ShortRuns
from larnn_service.engine.batching.queue_entries import Outcome, Row, Submission, Then
from larnn_service.engine.batching.row_queue import RowQueue
from larnn_service.engine.batching.state_pool import Arena, Slot
from larnn_service.engine.batching.waiting_steps import WaitingSteps
from larnn_service.errors import BadValue, Internal
from larnn_service.interfaces import Floats, Model, RowState, Steps
from larnn_service.telemetry.runs import Run, RunTelemetry
from larnn_service.telemetry.traces import here

logger = logging.getLogger(__name__)


class Batcher:
    """The queue and the runs of one model. All methods belong to the event loop's thread."""

    def __init__(
        self,
        model: Model,
        executor: Executor,
        telemetry: RunTelemetry,
        *,
        concurrency: int,
        max_batch_size: int,
        max_run_steps: int,
        max_run_row_steps: int,
        max_waiting_steps: int,
        max_waiting_of_owner: int | None = None,
        within: float = math.inf,
        alone: Callable[[], bool] = lambda: False,
    ) -> None:
        """A reply that has not come `within` seconds fails with Full. `alone`: as for ShortRuns."""
        self._loop = asyncio.get_running_loop()
        self._backend = model.backend
        self._contract = model.manifest.contract
        self._arena = Arena(model.initial)
        self._executor = executor
        self._telemetry = telemetry
        self._shares = Shares(concurrency, max_batch_size)
        self._short_runs = ShortRuns(
            max_batch_size, LONGEST if self._backend.provider == CPU else 0, alone
        )
        self._max_run_steps = max_run_steps
        self._max_run_row_steps = max_run_row_steps
        self._waiting_steps = WaitingSteps(max_waiting_steps, max_waiting_of_owner)
        self._within = within
        self._deadlines = Deadlines(within, self._late)
        self._queue = RowQueue()
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None

    def submit(
        self,
        rows: Sequence[tuple[Steps, RowState | None]],
        then: Then,
        ends: bool = False,
        owner: str = "",
    ) -> Submission:
        """Queue each x [steps, channels], steps ≥ 1, to run on from its state; all or none.

        No state is the one before the first step. `ends`: nothing follows, so only the last
        step's outputs are kept. Owners take turns. Of a row whose answer is not finite comes
        BadValue, Internal where the run failed for this row alone, Full where the time is up.
        Raises Full.
        """
        steps = 0
        for x, _ in rows:
            steps += len(x)
        self._waiting_steps.add(steps, owner)
        initial, now = self._arena.initial, self._loop.time()
        span = here() if self._telemetry.traced else None
        count = len(rows)
        submission = Submission(then, now, span, [None] * count, count, steps, owner)
        for index, (x, state) in enumerate(rows):
            begin = initial if state is None else state
            self._queue.add(Row(x, begin, ends, submission, index, len(x)))
        self._deadlines.add(submission, now)
        self._shares.came()
        self._start_soon()  # what else this turn of the loop brings goes along
        return submission

    def drop(self, submission: Submission) -> None:
        """Nobody wants it any more: its rows are skipped, and `then` is not called, unless it is
        being answered."""
        if not submission.over:
            submission.over = True
            self._waiting_steps.remove(submission.left, submission.owner)
            self._deadlines.remove(submission)

    def _late(self, submission: Submission) -> None:
        self.drop(submission)
        _answer(submission, [late(self._within)] * len(submission.outcomes))

    @property
    def waiting_steps(self) -> int:
        """Steps of this model that wait or run."""
        return self._waiting_steps.total

    def _start_soon(self) -> None:
        """In the next turn of the loop, in nobody's context."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn, context=Context())

    def _turn(self) -> None:
        self._scheduled = False
        self._start_runs(here=True)

    def _start_runs(self, here: bool) -> None:
        """Start as many runs as are free: long ones in threads, and a short one in this call.

        `here`: whether a short run may happen in this call. Only one does; then the event loop has
        a turn for others. Otherwise a short run waits for the next turn.
        """
        if self._timer is not None:
            self._timer.cancel()
        if wait := self._shares.wait(len(self._queue), self._loop.time()):
            self._timer = self._loop.call_later(wait, self._start_soon)
            return
        while self._shares.free and (first := self._queue.first()) is not None:
            waiting = len(self._queue)
            steps = _piece(first.left, self._most_steps(waiting))
            short = self._short_runs.rows(waiting, steps)
            if short and not here:
                return
            rows = self._next_batch(first, short or self._shares.of(waiting))
            if self._start_run(rows, may_be_short=short > 0, only=waiting == 1):
                return

    def _start_run(self, rows: list[Row], may_be_short: bool, only: bool) -> bool:
        """Start one run of these rows; `only` if no other row waits. Returns whether it was a short
        one, which is over and answered."""
        self._shares.started(len(rows))
        most = self._most_steps(len(rows))
        counts = [_piece(row.left, most) for row in rows]
        telemetry = self._started(rows, counts, self._loop.time())
        slots = [self._arena.place(row.state) for row in rows]  # what waits holds none
        work = partial(run, self._backend, self._arena, self._contract, rows, slots, counts)
        if may_be_short and self._short_runs.is_short(len(rows), max(counts), only):
            _answer_all(self._settle(rows, counts, telemetry, outcome_of(work)))
            if self._queue:
                self._start_soon()
            return True
        self._executor.start(work, partial(self._end, rows, counts, telemetry))
        return False

    def _started(self, rows: list[Row], counts: list[int], now: float) -> Run:
        waits = [now - row.submission.since for row in rows if row.whole]
        asked = [row.submission.asked for row in rows if row.submission.asked is not None]
        return self._telemetry.started(now, waits, rows, counts, asked)

    def _next_batch(self, first: Row, limit: int) -> list[Row]:
        """The row whose turn it is, and others within a factor of two of its steps: little is
        padded."""
        most = self._most_steps(limit)
        size = _piece(first.left, most)

        def fits(row: Row) -> bool:
            left = row.left
            return size <= 2 * (left if left <= most else _piece(left, most)) <= 4 * size

        return self._queue.take(first, limit, fits)

    def _most_steps(self, rows: int) -> int:
        return min(self._max_run_steps, max(self._max_run_row_steps // rows, 1))

    def _end(
        self, rows: list[Row], counts: list[int], telemetry: Run, outcome: Ran | Exception
    ) -> None:
        over = self._settle(rows, counts, telemetry, outcome)
        self._start_runs(here=False)
        _answer_all(over)
        if self._queue:
            self._start_soon()  # behind what the answers have to do in the next turn

    def _settle(
        self, rows: list[Row], counts: list[int], telemetry: Run, outcome: Ran | Exception
    ) -> list[Submission]:
        """Give each row what came of its run. Returns the submissions that are now to be answered.

        `Shares` learns the rows of those that were answered with outputs: their clients may soon
        ask again.
        """
        answered: list[int] = []
        if isinstance(outcome, Exception):
            self._short_runs.took(len(rows), max(counts), math.inf)  # it may never have ended
            over = self._failed(rows, outcome)
        else:
            self._short_runs.took(len(rows), max(counts), outcome.seconds)
            over = []
            for row, steps, (outputs, state) in zip(rows, counts, outcome.rows, strict=True):
                submission = row.submission
                if not submission.over and self._advance(row, steps, outputs, state):
                    over.append(submission)
                    if outputs is not None:
                        answered.append(len(submission.outcomes))
        now = self._loop.time()
        telemetry.end(now, None if isinstance(outcome, Exception) else outcome.rows)
        self._shares.ended(len(rows), answered, now, now - telemetry.since)
        return over

    def _failed(self, rows: list[Row], error: Exception) -> list[Submission]:
        """A run that raised. If it had one row, that row fails. Of several one may be the cause, so
        each runs again by itself. Returns the submissions that are now to be answered."""
        if len(rows) > 1:
            for row in rows:
                row.alone = True
            self._queue.put_back(rows)
            return []
        [row] = rows
        logger.error("a run failed", exc_info=error)
        if not row.submission.over and self._done(row, Internal()):
            return [row.submission]
        return []

    def _advance(self, row: Row, steps: int, outputs: Floats | None, state: Slot) -> bool:
        """Whether all of its submission is answered with that."""
        if outputs is None:
            text = "the values are too large for the model: its answer is not finite"
            return self._done(row, BadValue(text))
        row.left -= steps
        row.submission.left -= steps
        self._waiting_steps.remove(steps, row.submission.owner)
        row.state = state
        if row.ends:
            row.outputs = [outputs]
        else:
            row.outputs.append(outputs)
        if row.left:
            self._queue.add(row)
            return False
        whole = row.outputs[0] if len(row.outputs) == 1 else np.concatenate(row.outputs)
        return self._done(row, (whole, state))

    def _done(self, row: Row, outcome: Outcome) -> bool:
        submission = row.submission
        submission.outcomes[row.index] = outcome
        submission.unanswered -= 1
        if row.left:
            submission.left -= row.left
            self._waiting_steps.remove(row.left, submission.owner)
        if submission.unanswered:
            return False
        submission.over = True
        self._deadlines.remove(submission)
        return True


def _piece(steps: int, most: int) -> int:
    """Of so many steps those of the next run: as few runs as may be, about as long each, so that a
    sequence which goes on and one that begins fit side by side."""
    return -(-steps // -(-steps // most))


def _answer_all(submissions: list[Submission]) -> None:
    for submission in submissions:
        _answer(submission, cast(list[Outcome], submission.outcomes))


def _answer(submission: Submission, outcomes: list[Outcome]) -> None:
    """What one client makes of its answer is no other's concern."""
    try:
        submission.then(outcomes)
    except Exception:
        logger.exception("an answer could not be given")
